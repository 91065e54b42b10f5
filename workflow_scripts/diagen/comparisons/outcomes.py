"""Which test images each method classifies correctly, from all tables `predictions.csv` of a dataset."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from diagen.classifiers.predictions_file import COLUMNS
from diagen.errors import InputError, delete_and_rerun, rm
from diagen.files.tables import DamagedFile, reading

VALIDATION = "val"
"""This split chose the epoch of some methods, so it is no result."""
KEY = ["split", "class", "path"]


@dataclass(frozen=True)
class Outcomes:
    """The results of one dataset and split.

    `right` `[methods, shots, seeds, images]`, bool, are the correct predictions. Images are sorted by class; `counts`
    `[C]`, int64, are their numbers in the `classes` that have any. Seeds are those of the configuration: with
    cross-validation, the folds of a seed together test each photo once.
    """

    dataset: str
    split: str
    methods: tuple[str, ...]
    shots: tuple[int, ...]
    classes: tuple[str, ...]
    counts: NDArray[np.int64]
    right: NDArray[np.bool_]


def read_outcomes(
    results: Path,
    dataset: str,
    *,
    cell_seeds: Sequence[int],
    folds: int,
    shots: Sequence[int],
    methods: Sequence[str],
) -> list[Outcomes]:
    """Read the tables of all cells of `dataset` in the folder `results`, one entry per split that is a result.

    Raises `InputError` naming the file whose images differ from those of the first method, seed and number of shots.
    """
    repeats: dict[int, list[int]] = {}
    for seed in cell_seeds:
        repeats.setdefault(seed // folds, []).append(seed)
    groups = [
        [results / dataset / f"seed{seed}/shots{number}/downstream/{method}/predictions.csv" for seed in seeds]
        for method, number, seeds in product(methods, shots, repeats.values())
    ]
    first = _read(groups[0])
    images = first[KEY].sort_values(KEY)
    order, images = images.index, images.reset_index(drop=True)
    rows = []
    for files in groups:
        found = _read(files)
        if found[KEY].equals(first[KEY]):  # sorting each table would take longer than reading it
            found = found.loc[order]
        else:
            found = found.sort_values(KEY, ignore_index=True)
            if not found[KEY].equals(images):
                raise _difference(found, images, files, groups[0])
        rows.append((found["class"] == found["predicted"]).to_numpy(dtype=bool))
    right = np.stack(rows).reshape(len(methods), len(shots), len(repeats), len(images))
    entries = []
    for split in dict.fromkeys(images["split"]):
        chosen = (images["split"] == split).to_numpy()
        sizes = images["class"][chosen].value_counts(sort=False)
        names, counts = tuple(map(str, sizes.index)), sizes.to_numpy(dtype=np.int64)
        found_in = np.ascontiguousarray(right[..., chosen])
        entries.append(Outcomes(dataset, str(split), tuple(methods), tuple(shots), names, counts, found_in))
    return entries


def _read(files: Sequence[Path]) -> pd.DataFrame:
    """The predictions of the folds of a seed together, without those of the validation images."""
    parts = []
    for path in files:
        with reading(path):
            table = pd.read_csv(path, dtype=str, keep_default_na=False, usecols=lambda name: name in COLUMNS)
            if missing := [name for name in COLUMNS if name not in table.columns]:
                raise ValueError(f"missing columns: {', '.join(missing)}")
            if (table.isna() | (table == "")).to_numpy().any():
                raise ValueError("some lines do not have one value per column")
            parts.append(table[table["split"] != VALIDATION])
        twice = parts[-1][KEY].duplicated()
        if twice.any():
            raise DamagedFile(path, f"it lists {parts[-1]['path'][twice].iloc[0]} twice")
    together = pd.concat(parts, ignore_index=True)
    if len(parts) > 1 and (twice := together[KEY].duplicated()).any():
        raise InputError(
            f"{files[0]}: {together['path'][twice].iloc[0]} is tested in two folds of this seed. "
            f"{delete_and_rerun(files[0])}"
        )
    return together


def _difference(found: pd.DataFrame, images: pd.DataFrame, files: Sequence[Path], others: Sequence[Path]) -> InputError:
    """The error that the images in `files` differ from the `images` in `others`."""
    paths, expected = set(found["path"]), set(images["path"])
    lacking, extra = sorted(expected - paths), sorted(paths - expected)
    how = f"lacks {lacking[0]}" if lacking else f"also has {extra[0]}" if extra else "has other classes or splits"
    remedy = f"Delete both and run Snakemake again: {rm(*files, *others)}"
    return InputError(f"{files[0]}: not the same test images as in {others[0]}: it {how}. {remedy}")
