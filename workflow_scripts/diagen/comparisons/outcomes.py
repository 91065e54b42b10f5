"""Which test images each method classifies correctly, from all tables `predictions.csv` of a dataset."""

import csv
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from diagen.cells import Cell
from diagen.errors import InputError, rm
from diagen.files.predictions_file import COLUMNS
from diagen.files.results_layout import cell_folder
from diagen.files.tables import DamagedFile, reading

VALIDATION = "val"
"""This split chose the epoch of some methods, so it is no result."""
Key = tuple[str, str, str]
"""Split, class and path of an image."""


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
        [
            cell_folder(results, Cell(dataset, seed, number)) / "downstream" / method / "predictions.csv"
            for seed in seeds
        ]
        for method, number, seeds in product(methods, shots, repeats.values())
    ]
    first, _ = _read(groups[0])
    _require_distinct(first, groups[0])
    order = sorted(range(len(first)), key=first.__getitem__)
    images = [first[index] for index in order]
    rows = []
    for files in groups:
        keys, is_right = _read(files)
        if keys == first:  # sorting each table would take longer than reading it
            rows.append(np.array(is_right, dtype=bool)[order])
            continue
        _require_distinct(keys, files)
        found = dict(zip(keys, is_right, strict=True))
        if found.keys() != set(images):
            raise _difference(keys, images, files, groups[0])
        rows.append(np.array([found[key] for key in images], dtype=bool))
    right = np.stack(rows).reshape(len(methods), len(shots), len(repeats), len(images))
    entries = []
    for split in dict.fromkeys(key[0] for key in images):
        chosen = np.array([key[0] == split for key in images])
        sizes = Counter(key[1] for key in images if key[0] == split)
        counts = np.array(list(sizes.values()), dtype=np.int64)
        found_in = np.ascontiguousarray(right[..., chosen])
        entries.append(Outcomes(dataset, split, tuple(methods), tuple(shots), tuple(sizes), counts, found_in))
    return entries


def require_split(outcomes: Sequence[Outcomes], datasets: Sequence[str], split: str) -> None:
    """Raise `InputError` if a dataset has no images of the `split` of the primary comparison."""
    found = {(each.dataset, each.split) for each in outcomes}
    lacking = [f"`{dataset}`" for dataset in datasets if (dataset, split) not in found]
    if lacking:
        raise InputError(
            f"`comparison.split`: there are no images of `{split}` in {', '.join(lacking)}. Set another split and run "
            "Snakemake again: nothing but the comparisons is repeated"
        )


def _read(files: Sequence[Path]) -> tuple[list[Key], list[bool]]:
    """The images in tables of predictions but those for validation, and whether each is classified correctly."""
    keys, is_right = [], []
    for path in files:
        with reading(path, csv.Error), open(path, encoding="utf-8", newline="") as file:
            lines = csv.reader(file, strict=True)  # a dictionary per line would take several times longer
            header = next(lines, [])
            if missing := [name for name in COLUMNS if name not in header]:
                raise ValueError(f"missing columns: {', '.join(missing)}")
            split, image, label, predicted = (header.index(name) for name in COLUMNS[:4])
            for line in lines:
                if len(line) != len(header):
                    raise ValueError(f"line {lines.line_num} does not have one value per column")
                if not (line[split] and line[image] and line[label]):
                    raise ValueError(f"line {lines.line_num} has no split, path or class")
                if line[split] != VALIDATION:
                    keys.append((line[split], line[label], line[image]))
                    is_right.append(line[label] == line[predicted])
    return keys, is_right


def _require_distinct(keys: Sequence[Key], files: Sequence[Path]) -> None:
    """Raise `InputError` if an image is listed twice."""
    if len(set(keys)) == len(keys):
        return
    _, _, image = next(key for key, number in Counter(keys).items() if number > 1)
    if len(files) == 1:
        raise DamagedFile(files[0], f"it lists {image} twice")
    remedy = f"Delete all of them and run Snakemake again: {rm(*files)}"
    raise InputError(f"{files[0]}: {image} is tested in two folds of this seed. {remedy}")


def _difference(
    found: Sequence[Key], images: Sequence[Key], files: Sequence[Path], others: Sequence[Path]
) -> InputError:
    """The error that the images in `files` differ from the `images` in `others`."""
    paths, expected = {key[2] for key in found}, {key[2] for key in images}
    lacking, extra = sorted(expected - paths), sorted(paths - expected)
    how = f"lacks {lacking[0]}" if lacking else f"also has {extra[0]}" if extra else "has other classes or splits"
    remedy = f"Delete both and run Snakemake again: {rm(*files, *others)}"
    return InputError(f"{files[0]}: not the same test images as in {others[0]}: it {how}. {remedy}")
