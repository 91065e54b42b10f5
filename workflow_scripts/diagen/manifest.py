"""The manifest: one row per synthetic image that exists, written last, when all of its images do."""

import csv
from collections.abc import Iterable
from dataclasses import astuple, dataclass
from pathlib import Path

from diagen.atomic import atomic_path
from diagen.errors import InputError

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
    with atomic_path(path) as temporary, open(temporary, "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(astuple(row) for row in rows)


def read_manifest(path: Path) -> list[ManifestRow]:
    """Read a manifest. Raises `InputError` when a column is missing."""
    with open(path, encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file)
        missing = set(COLUMNS) - set(reader.fieldnames or ())
        if missing:
            raise InputError(f"{path} is no manifest: it lacks {', '.join(sorted(missing))}; run generate_images again")
        return [
            ManifestRow(
                row["file_name"],
                row["class"],
                int(row["guide"]),
                int(row["number"]),
                row["prompt"],
                float(row["noise_level"]),
                int(row["noise_seed"]),
                int(row["image_seed"]),
                row["sha256"],
                int(row["micro_batch"]),
            )
            for row in reader
        ]
