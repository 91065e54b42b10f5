"""The tables of a dataset: `images.csv`, and `skipped.csv` with the files that were left out."""

import csv
from collections.abc import Collection, Iterable
from dataclasses import astuple, dataclass
from pathlib import Path

from diagen.atomic import atomic_path
from diagen.errors import InputError

COLUMNS = ("path", "class", "split", "width", "height", "sha256")
SKIPPED_COLUMNS = ("path", "class", "split", "reason")


@dataclass(frozen=True)
class ImageRow:
    """An image of a dataset.

    `path` is as the configuration's root leads to it, with forward slashes; `class_name` has underscores for spaces;
    `split` is one of `interface.SPLITS`; width and height (pixels) are those of the upright photo; `sha256` is that of
    the file.
    """

    path: str
    class_name: str
    split: str
    width: int
    height: int
    sha256: str


@dataclass(frozen=True)
class SkippedImage:
    """A file that was left out since it can't be read as an image, and the sentence that says why."""

    path: str
    class_name: str
    split: str
    reason: str


def images_needed(splits: Collection[str], shots: int) -> int:
    """Images that a class needs in `train_val`: the shots, and one that validates unless there is a split `val`."""
    return shots if "val" in splits else shots + 1


def write_images(rows: Iterable[ImageRow], path: Path) -> None:
    """Write `rows` to the CSV file `path`, which appears whole or not at all."""
    _write(COLUMNS, rows, path)


def read_images(path: Path) -> list[ImageRow]:
    """Read an `images.csv`. Raises `InputError` when a column is missing."""
    return [
        ImageRow(row["path"], row["class"], row["split"], int(row["width"]), int(row["height"]), row["sha256"])
        for row in _read(COLUMNS, path, "images.csv")
    ]


def write_skipped(rows: Iterable[SkippedImage], path: Path) -> None:
    """Write `rows` to the CSV file `path`, which appears whole or not at all."""
    _write(SKIPPED_COLUMNS, rows, path)


def read_skipped(path: Path) -> list[SkippedImage]:
    """Read a `skipped.csv`. Raises `InputError` when a column is missing."""
    return [
        SkippedImage(row["path"], row["class"], row["split"], row["reason"])
        for row in _read(SKIPPED_COLUMNS, path, "skipped.csv")
    ]


def _write(columns: tuple[str, ...], rows: Iterable[ImageRow | SkippedImage], path: Path) -> None:
    with atomic_path(path) as temporary, open(temporary, "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(astuple(row) for row in rows)


def _read(columns: tuple[str, ...], path: Path, name: str) -> list[dict[str, str]]:
    with open(path, encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file)
        missing = set(columns) - set(reader.fieldnames or ())
        if missing:
            raise InputError(f"{path} is no {name}: it lacks {', '.join(sorted(missing))}; run index_dataset again")
        return list(reader)
