"""The manifest: one row per synthetic image, written after all its images."""

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
    """A synthetic image: `file_name` is relative to the store, `sha256` is the hash of its PNG file.

    `micro_batch` is the number of images per forward pass when it was generated. Together with the generator's
    settings it decides the file's bytes on one type of machine.
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
    """Write `rows` atomically to the CSV file `path`."""
    write_rows(COLUMNS, map(astuple, rows), path)


def read_manifest(path: Path) -> list[ManifestRow]:
    """Read a manifest. Raises `DamagedFile`."""
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
