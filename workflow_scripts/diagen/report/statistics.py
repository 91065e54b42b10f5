"""From single results to the summary tables, and from those to means, errors and paired differences.

Accuracies and the measures of diversity are fractions in [0, 1].
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import stdtrit

from diagen.files.tables import reading
from diagen.prompts.prompts_file import PromptRow

Cell = tuple[str, str, int, int, str]
"""Dataset, generator, seed, shots, and the weighting by which its images are drawn; empty where they count alike."""

ACCURACY = ["dataset", "method", "seed", "shots", "split", "accuracy", "n_images"]
PER_CLASS = ["dataset", "method", "seed", "shots", "split", "class", "accuracy", "n_images"]
MEASURES = ["precision", "recall", "density", "coverage"]
DIVERSITY = ["dataset", "generator", "seed", "shots", "k", "scope", *MEASURES, "n_real", "n_synthetic", "weighting"]
PROMPTS = ["dataset", "prompt_set", "class", "number", "prompt"]
TEXT = ["dataset", "method", "generator", "prompt_set", "split", "scope", "class", "prompt", "weighting"]


def read_table(path: Path, columns: list[str]) -> pd.DataFrame:
    """Read a summary table; names such as `NA` or `1` stay text. Raises `InputError` when it is damaged."""
    texts = {name: str for name in columns if name in TEXT}
    numbers = {name: ["", "nan"] for name in columns if name not in TEXT}
    with reading(path):
        table = pd.read_csv(path, dtype=texts, keep_default_na=False, na_values=numbers)
        missing = [name for name in columns if name not in table.columns]
        if missing:
            raise ValueError(f"missing columns: {', '.join(missing)}")
        table = table[columns].apply(lambda column: column if column.name in TEXT else pd.to_numeric(column))
        if "accuracy" in columns and not (len(table) and table["accuracy"].between(0, 1).all()):
            raise ValueError("it doesn't hold an accuracy in each row")
        return table


def write_table(table: pd.DataFrame, path: Path) -> None:
    """Write a summary table as CSV; numbers keep all their digits."""
    table.to_csv(path, index=False, lineterminator="\n")


def accuracy_table(metrics: Iterable[dict[str, Any]]) -> pd.DataFrame:
    """One row per classifier and split (columns `ACCURACY`) from the contents of `metrics.json` files."""
    rows = [
        {**run, "split": split, "accuracy": result["accuracy"], "n_images": result["n_images"]}
        for run in metrics
        for split, result in run["splits"].items()
    ]
    return pd.DataFrame(rows, columns=ACCURACY)


def per_class_table(metrics: Iterable[dict[str, Any]]) -> pd.DataFrame:
    """One row per classifier, split and class (columns `PER_CLASS`) from the contents of `metrics.json` files."""
    rows = [
        {**run, "split": split, "class": name, **result}
        for run in metrics
        for split, results in run["splits"].items()
        for name, result in results["per_class"].items()
    ]
    return pd.DataFrame(rows, columns=PER_CLASS)


def diversity_table(cells: Iterable[tuple[Cell, list[dict[str, Any]]]]) -> pd.DataFrame:
    """One row per cell, k and scope (columns `DIVERSITY`) from the contents of `diversity.json` files."""
    rows = [
        dict(zip(("dataset", "generator", "seed", "shots", "weighting"), cell, strict=True)) | result
        for cell, results in cells
        for result in results
    ]
    return pd.DataFrame(rows, columns=DIVERSITY)


def prompts_table(sets: Iterable[tuple[str, str, Iterable[PromptRow]]]) -> pd.DataFrame:
    """All prompts (columns `PROMPTS`) from (dataset, prompt set, its rows)."""
    rows = [(dataset, name, row.class_name, row.number, row.prompt) for dataset, name, rows in sets for row in rows]
    return pd.DataFrame(rows, columns=PROMPTS)


def standard_error(values: Sequence[float] | np.ndarray) -> float:
    """Standard error of the mean of independent `values` (n - 1 in the variance); NaN for fewer than two."""
    values = np.asarray(values, dtype=np.float64)
    if values.size < 2:
        return float("nan")
    return float(values.std(ddof=1) / np.sqrt(values.size))


def over_seeds(table: pd.DataFrame, by: list[str], value: str) -> pd.DataFrame:
    """Mean and standard error of `value` over the seeds, for each combination of the columns `by`.

    Returns the columns `by`, `mean`, `standard_error` (NaN with one seed) and `n_seeds`, in the table's order.
    """
    groups = table.groupby(by, sort=False)[value]
    return groups.agg(mean="mean", standard_error=standard_error, n_seeds="size").reset_index()


@dataclass(frozen=True)
class Difference:
    """A mean difference between paired runs; `low` and `high` bound it (NaN with fewer than two pairs)."""

    mean: float
    low: float
    high: float
    n_pairs: int


def paired_difference(accuracy: pd.DataFrame, method: str, baseline: str, confidence: float = 0.95) -> Difference:
    """How much higher `method` is than `baseline`, run by run, with Student's t interval.

    Runs are paired over dataset, seed, shots and split, as far as the table `accuracy` (columns `ACCURACY`) holds
    both: the same shots and the same validation images stand behind either. Pairs that share a seed are not quite
    independent, so the interval is a guide and not a test. Raises `ValueError` when there is no pair.
    """
    keys = ["dataset", "seed", "shots", "split"]
    runs = accuracy.pivot(index=keys, columns="method", values="accuracy")
    if not {method, baseline} <= set(runs.columns):
        raise ValueError(f"no runs of both `{method}` and `{baseline}`")
    differences = (runs[method] - runs[baseline]).dropna().to_numpy()
    n_pairs = differences.size
    if n_pairs == 0:
        raise ValueError(f"no run of `{method}` shares its dataset, seed, shots and split with one of `{baseline}`")
    mean = float(differences.mean())
    if n_pairs < 2:
        return Difference(mean, float("nan"), float("nan"), n_pairs)
    reach = float(stdtrit(n_pairs - 1, 0.5 + confidence / 2)) * standard_error(differences)
    return Difference(mean, mean - reach, mean + reach, n_pairs)
