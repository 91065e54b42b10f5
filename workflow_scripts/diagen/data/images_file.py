"""The tables of a dataset: `images.csv`, and `skipped.csv` with the files that were left out."""

from collections.abc import Iterable
from dataclasses import astuple, dataclass
from pathlib import Path

from diagen.data.adapters.interface import SPLITS
from diagen.files.tables import read_rows, write_rows

COLUMNS = ("path", "class", "split", "width", "height", "sha256")
SKIPPED_COLUMNS = ("path", "class", "split", "reason")


@dataclass(frozen=True)
class ImageRow:
    """An image of a dataset.

    `path` starts with the dataset's `root` as configured and has forward slashes; `class_name` has underscores for
    spaces; `split` is one of `interface.SPLITS`; width and height (pixels) are those of the upright photo; `sha256` is
    the hash of the file.
    """

    path: str
    class_name: str
    split: str
    width: int
    height: int
    sha256: str


@dataclass(frozen=True)
class SkippedImage:
    """A file that was left out because it cannot be read as an image; `reason` is the message of the error."""

    path: str
    class_name: str
    split: str
    reason: str


def write_images(rows: Iterable[ImageRow], path: Path) -> None:
    """Write `rows` to the CSV file `path`, atomically."""
    write_rows(COLUMNS, map(astuple, rows), path)


def read_images(path: Path) -> list[ImageRow]:
    """Read an `images.csv`. Raises `InputError` if it is damaged."""
    return read_rows(path, COLUMNS, _row)


def _row(values: dict[str, str]) -> ImageRow:
    width, height = int(values["width"]), int(values["height"])
    if values["split"] not in SPLITS:
        raise ValueError(f"unknown split `{values['split']}`")
    return ImageRow(values["path"], values["class"], values["split"], width, height, values["sha256"])


def write_skipped(rows: Iterable[SkippedImage], path: Path) -> None:
    """Write `rows` to the CSV file `path`, atomically."""
    write_rows(SKIPPED_COLUMNS, map(astuple, rows), path)


def read_skipped(path: Path) -> list[SkippedImage]:
    """Read a `skipped.csv`. Raises `InputError` if it is damaged."""
    return read_rows(path, SKIPPED_COLUMNS, lambda values: SkippedImage(*(values[name] for name in SKIPPED_COLUMNS)))
