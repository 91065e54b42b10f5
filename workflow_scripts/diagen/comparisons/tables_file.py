"""The tables `comparisons.csv`, `worth.csv` and `means.csv`: their columns, and how they are read and written.

Accuracies, differences and variances are of fractions, not of percent. `shots` is text: a number, or `ALL_SHOTS` for
the mean over the numbers of shots. `class` is empty for the mean over all classes. Cells that do not apply are empty.
"""

from pathlib import Path

import pandas as pd

from diagen.files.atomic import atomic_path
from diagen.files.tables import reading

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


def read_comparisons(path: Path) -> pd.DataFrame:
    """Read a `comparisons.csv` (columns `COMPARISONS`). Raises `DamagedFile`."""
    table = _read(path, COMPARISONS)
    with reading(path):
        if not table["answer"].isin(ANSWERS).all():
            raise ValueError(f"some rows have no answer out of {', '.join(ANSWERS)}")
    return table


def read_worth(path: Path) -> pd.DataFrame:
    """Read a `worth.csv` (columns `WORTH`). Raises `DamagedFile`."""
    return _read(path, WORTH)


def read_means(path: Path) -> pd.DataFrame:
    """Read a `means.csv` (columns `MEANS`). Raises `DamagedFile`."""
    table = _read(path, MEANS)
    with reading(path):
        if not table["mean"].between(0, 1).all():
            raise ValueError("some rows have no mean in [0, 1]")
    return table


def write_table(table: pd.DataFrame, path: Path) -> None:
    """Write a table atomically as CSV, numbers with all digits."""
    with atomic_path(path) as temporary:
        table.to_csv(temporary, index=False, lineterminator="\n")


def _read(path: Path, columns: list[str]) -> pd.DataFrame:
    """Read a table; names such as `NA` or `1` remain text, numbers are float64 with NaN for empty cells."""
    numbers = [name for name in columns if name not in _TEXT | _TRUTH]
    with reading(path):
        table = pd.read_csv(path, dtype=str, keep_default_na=False)
        if missing := [name for name in columns if name not in table.columns]:
            raise ValueError(f"missing columns: {', '.join(missing)}")
        table = table[columns]
        if table.isna().to_numpy().any():
            raise ValueError("some lines do not have one value per column")
        truth = {name: table[name] for name in columns if name in _TRUTH}
        if not all(values.isin(["True", "False"]).all() for values in truth.values()):
            raise ValueError(f"some rows have neither True nor False in {' or '.join(truth)}")
        return table.assign(
            **{name: pd.to_numeric(table[name].replace("", "nan")).astype(float) for name in numbers},
            **{name: values == "True" for name, values in truth.items()},
        )
