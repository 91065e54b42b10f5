"""The manifest: one row per synthetic image that exists, written last, when all of its images do."""

from collections.abc import Iterable
from dataclasses import astuple, dataclass
from pathlib import Path

from diagen.files.tables import read_rows, write_rows

COLUMNS = (
    "file_name",
    "class",
    "guide",
    "number",
    "prompt",
    "noise_level",
    "noise_seed",
    "image_seed",
    "sha256",
    "micro_batch",
)


@dataclass(frozen=True)
class ManifestRow:
    """A synthetic image: `file_name` is relative to the store, `sha256` is that of its PNG file.

    `micro_batch` is the number of images in the forward passes that it was made in. With the settings of its generator
    it decides the file's bytes on one type of machine.
    """

    file_name: str
    class_name: str
    guide: int
    number: int
    prompt: str
    noise_level: float
    noise_seed: int
    image_seed: int
    sha256: str
    micro_batch: int


def write_manifest(rows: Iterable[ManifestRow], path: Path) -> None:
    """Write `rows` to the CSV file `path`, which appears whole or not at all."""
    write_rows(COLUMNS, map(astuple, rows), path)


def read_manifest(path: Path) -> list[ManifestRow]:
    """Read a manifest. Raises `InputError` when it is damaged."""
    return read_rows(path, COLUMNS, _row)


def _row(values: dict[str, str]) -> ManifestRow:
    return ManifestRow(
        values["file_name"],
        values["class"],
        int(values["guide"]),
        int(values["number"]),
        values["prompt"],
        float(values["noise_level"]),
        int(values["noise_seed"]),
        int(values["image_seed"]),
        values["sha256"],
        int(values["micro_batch"]),
    )
