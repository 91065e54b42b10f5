"""The tables `comparisons.csv`, `worth.csv` and `means.csv`: their columns, and how they are read and written.

Accuracies, differences and variances are of fractions, not of percent. `shots` is text: a number, or `ALL_SHOTS` for
the mean over the numbers of shots. `class` is empty for the mean over all classes. Cells that do not apply are empty.
"""

import math
from collections.abc import Set
from pathlib import Path

import pandas as pd

from diagen.files.atomic import atomic_path
from diagen.files.tables import read_rows

ALL_SHOTS = "all"
COMPARISONS = [
    "dataset",
    "split",
    "shots",
    "class",
    "method",
    "baseline",
    "estimate",
    "low",
    "high",
    "df",
    "seeds",
    "images",
    "variance_images",
    "variance_seeds",
    "p",
    "adjusted_p",
    "adjusted_low",
    "adjusted_high",
    "sign_flip_p",
    "primary",
    "answer",
    "verdict",
]
WORTH = [
    "dataset",
    "split",
    "method",
    "baseline",
    "shots",
    "photos",
    "low",
    "high",
    "beyond",
    "seeds",
    "images",
    "sentence",
]
MEANS = ["dataset", "split", "shots", "method", "mean", "low", "high", "seeds", "images"]
ANSWERS = ("yes", "hurts", "same", "unclear")
_TEXT = {"dataset", "split", "shots", "class", "method", "baseline", "answer", "verdict", "sentence"}
_TRUTH = {"primary", "beyond"}
_FINITE = {"estimate", "mean"}
_INTERVAL = {"low", "high"}
"""Always numbers in comparisons and means; the worth of a method may have no ends."""


def read_comparisons(path: Path) -> pd.DataFrame:
    """Read a `comparisons.csv` (columns `COMPARISONS`). Raises `DamagedFile`."""
    return _read(path, COMPARISONS, _FINITE | _INTERVAL)


def read_worth(path: Path) -> pd.DataFrame:
    """Read a `worth.csv` (columns `WORTH`). Raises `DamagedFile`."""
    return _read(path, WORTH, set())


def read_means(path: Path) -> pd.DataFrame:
    """Read a `means.csv` (columns `MEANS`). Raises `DamagedFile`."""
    return _read(path, MEANS, _FINITE | _INTERVAL)


def write_table(table: pd.DataFrame, path: Path) -> None:
    """Write a table atomically as CSV, numbers with all digits."""
    with atomic_path(path) as temporary:
        table.to_csv(temporary, index=False, lineterminator="\n")


def _read(path: Path, columns: list[str], finite: Set[str]) -> pd.DataFrame:
    """Read a table; names such as `NA` or `1` remain text, numbers are float64 with NaN for empty cells."""
    rows = read_rows(path, columns, lambda values: [_parsed(name, values[name], finite) for name in columns])
    table = pd.DataFrame(rows, columns=columns)
    types = dict.fromkeys(columns, "float64") | dict.fromkeys(_TEXT, "str") | dict.fromkeys(_TRUTH, "bool")
    return table.astype({name: types[name] for name in columns})


def _parsed(name: str, value: str, finite: Set[str]) -> str | float | bool:
    """The value of a column. Raises `ValueError`."""
    if name == "answer" and value not in ANSWERS:
        raise ValueError(f"`{value}` is no answer out of {', '.join(ANSWERS)}")
    if name in _TRUTH:
        if value not in ("True", "False"):
            raise ValueError(f"`{value}` in the column `{name}` is neither True nor False")
        return value == "True"
    if name in _TEXT:
        return value
    number = float(value) if value else math.nan
    if name in finite and not math.isfinite(number):
        raise ValueError(f"`{value}` in the column `{name}` is not a finite number")
    if name == "mean" and not 0 <= number <= 1:
        raise ValueError(f"the mean {value} is not in [0, 1]")
    return number
