"""The summary tables of results, pooled over the folds of a repeat.

Accuracies and measures of diversity are fractions; all but density are in [0, 1].
"""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd

from diagen.files.json_files import ClassResult, DiversityEntry, Metrics, SplitResult
from diagen.files.tables import reading
from diagen.prompts.prompts_file import PromptRow

MeasuredSet = tuple[str, str, int | None, int | None, str]
"""Dataset, generator, seed, shots, and the weighting by which images are drawn; empty for equal weights.

The ceiling of a dataset has the generator `config.choices.REAL`, and neither seed nor shots.
"""

ACCURACY = ["dataset", "method", "seed", "shots", "split", "accuracy", "n_images"]
PER_CLASS = ["dataset", "method", "seed", "shots", "split", "class", "accuracy", "n_images"]
MEASURES = ["precision", "recall", "density", "coverage"]
_SIZES = ["n_real", "n_synthetic"]
DIVERSITY = ["dataset", "generator", "seed", "shots", "k", "scope", *MEASURES, *_SIZES, "weighting", "variant"]
PROMPTS = ["dataset", "prompt_set", "class", "number", "prompt"]
TEXT = ["dataset", "method", "generator", "prompt_set", "split", "scope", "class", "prompt", "weighting", "variant"]


def read_table(path: Path, columns: list[str]) -> pd.DataFrame:
    """Read a summary table; names such as `NA` or `1` remain text. Raises `InputError` when it is damaged."""
    texts = {name: str for name in columns if name in TEXT}
    numbers = {name: ["", "nan"] for name in columns if name not in TEXT}
    with reading(path):
        table = pd.read_csv(path, dtype=texts, keep_default_na=False, na_values=numbers)
        missing = [name for name in columns if name not in table.columns]
        if missing:
            raise ValueError(f"missing columns: {', '.join(missing)}")
        table = table[columns].assign(**{name: pd.to_numeric(table[name]) for name in columns if name not in TEXT})
        if "accuracy" in columns and not (len(table) and table["accuracy"].between(0, 1).all()):
            raise ValueError("some rows have no accuracy in [0, 1], or there are no rows")
        return table


def pool_folds(metrics: Iterable[Metrics], folds: int) -> list[Metrics]:
    """The contents of `metrics.json` files with the `folds` of each repeat as one, whose seed is the repeat.

    Seeds of folds are `repeat * folds + fold`. A class's accuracy is that over the images of all folds, and the
    accuracy of a split is the mean over its classes. Without folds (1), nothing changes.
    """
    if folds == 1:
        return list(metrics)
    images: dict[tuple[str, str, int, int], dict[str, dict[str, list[ClassResult]]]] = {}
    for run in metrics:
        splits = images.setdefault((run["dataset"], run["method"], run["seed"] // folds, run["shots"]), {})
        for split, result in run["splits"].items():
            for name, own in result["per_class"].items():
                splits.setdefault(split, {}).setdefault(name, []).append(own)
    return [
        {
            "dataset": dataset,
            "method": method,
            "seed": repeat,
            "shots": shots,
            "splits": {split: _split_result(found) for split, found in splits.items()},
        }
        for (dataset, method, repeat, shots), splits in images.items()
    ]


def _split_result(found: dict[str, list[ClassResult]]) -> SplitResult:
    """The accuracy on a split from the results on parts of each class."""
    counts = {name: sum(part["n_images"] for part in parts) for name, parts in found.items()}
    right = {name: sum(round(part["accuracy"] * part["n_images"]) for part in parts) for name, parts in found.items()}
    per_class: dict[str, ClassResult] = {
        name: {"accuracy": right[name] / counts[name], "n_images": counts[name]} for name in sorted(found)
    }
    accuracy = float(np.mean([result["accuracy"] for result in per_class.values()]))
    return {"accuracy": accuracy, "n_images": sum(counts.values()), "per_class": per_class}


def over_folds(table: pd.DataFrame, folds: int) -> pd.DataFrame:
    """The diversity table with the mean over the `folds` of each repeat, whose seed is the repeat, in its order."""
    if folds == 1:
        return table
    repeats = table.assign(seed=table["seed"] // folds)
    values = [*MEASURES, "n_real", "n_synthetic"]
    by = [name for name in table.columns if name not in values]
    means = repeats.groupby(by, sort=False, as_index=False, dropna=False)[values].mean()
    return means.round({"n_real": 0, "n_synthetic": 0}).astype({"n_real": int, "n_synthetic": int})[list(table.columns)]


def accuracy_table(metrics: Iterable[Metrics]) -> pd.DataFrame:
    """One row per classifier and split (columns `ACCURACY`), from the contents of `metrics.json` files."""
    rows = [
        {**run, "split": split, "accuracy": result["accuracy"], "n_images": result["n_images"]}
        for run in metrics
        for split, result in run["splits"].items()
    ]
    return pd.DataFrame(rows, columns=ACCURACY)


def per_class_table(metrics: Iterable[Metrics]) -> pd.DataFrame:
    """One row per classifier, split and class (columns `PER_CLASS`), from the contents of `metrics.json` files."""
    rows = [
        {**run, "split": split, "class": name, **result}
        for run in metrics
        for split, results in run["splits"].items()
        for name, result in results["per_class"].items()
    ]
    return pd.DataFrame(rows, columns=PER_CLASS)


def diversity_table(sets: Iterable[tuple[MeasuredSet, list[DiversityEntry]]]) -> pd.DataFrame:
    """One row per set, variant, k and scope (columns `DIVERSITY`), from the contents of `diversity.json` files."""
    names = ("dataset", "generator", "seed", "shots", "weighting")
    rows = [{**dict(zip(names, measured, strict=True)), **entry} for measured, entries in sets for entry in entries]
    return pd.DataFrame(rows, columns=DIVERSITY).astype({"seed": "Int64", "shots": "Int64"})


def prompts_table(sets: Iterable[tuple[str, str, Iterable[PromptRow]]]) -> pd.DataFrame:
    """All prompts (columns `PROMPTS`), from triples of dataset, prompt set and its rows."""
    rows = [(dataset, name, row.class_name, row.number, row.prompt) for dataset, name, rows in sets for row in rows]
    return pd.DataFrame(rows, columns=PROMPTS)
