"""The table `predictions.csv`: the predicted class of each validation and test image. Free of torch."""

from collections.abc import Sequence
from dataclasses import astuple, dataclass
from pathlib import Path

from diagen.files.tables import read_rows, write_rows

COLUMNS = ("split", "path", "class", "predicted", "probability")


@dataclass(frozen=True)
class Prediction:
    """The predicted class of an image, and its probability in [0, 1]."""

    split: str
    path: str
    class_name: str
    predicted: str
    probability: float


def write_predictions(rows: Sequence[Prediction], path: Path) -> None:
    """Write `rows` to the CSV file `path`."""
    write_rows(COLUMNS, map(astuple, rows), path)


def read_predictions(path: Path) -> list[Prediction]:
    """Read a `predictions.csv`. Raises `DamagedFile`."""
    return read_rows(path, COLUMNS, _row)


def _row(values: dict[str, str]) -> Prediction:
    split, image, class_name, predicted, probability = (values[name] for name in COLUMNS)
    if not (split and image and class_name):
        raise ValueError("no split, path or class")
    return Prediction(split, image, class_name, predicted, float(probability))
