"""The table `weights/<weighting>.csv`: confidences and weights of synthetic images (eq. (2)). Free of torch."""

from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass
from pathlib import Path

from diagen.errors import InputError, delete_and_rerun
from diagen.files.tables import read_rows, write_rows

COLUMNS = ("file_name", "confidence", "temperature", "weight")


@dataclass(frozen=True)
class WeightRow:
    """A synthetic image's calibrated confidence q, the temperature, and the image's weight.

    `weight` in [0, 1] is the image's share among those of its guide image or class.
    """

    file_name: str
    confidence: float
    temperature: float
    weight: float


def write_weights(rows: Iterable[WeightRow], path: Path) -> None:
    """Write `rows`, in the order of the manifest, to the CSV file `path`."""
    write_rows(COLUMNS, map(astuple, rows), path)


def read_weights(path: Path) -> list[WeightRow]:
    """Read a table of weights. Raises `InputError` when the file is damaged."""
    return read_rows(path, COLUMNS, _row)


def _row(values: dict[str, str]) -> WeightRow:
    confidence, temperature, weight = (float(values[name]) for name in COLUMNS[1:])
    if not (0 <= confidence <= 1 and 0 <= weight <= 1):
        raise ValueError(f"confidence {confidence} or weight {weight} is not in [0, 1]")
    return WeightRow(values["file_name"], confidence, temperature, weight)


def read_shares(path: Path, file_names: Sequence[str]) -> list[float]:
    """Read the weights of the manifest's images `file_names`, in their order.

    Raises `InputError` when the file is damaged or lists other images.
    """
    rows = read_weights(path)
    if [row.file_name for row in rows] != list(file_names):
        raise InputError(f"{path}: rows differ from manifest.csv. {delete_and_rerun(path)}")
    return [row.weight for row in rows]
