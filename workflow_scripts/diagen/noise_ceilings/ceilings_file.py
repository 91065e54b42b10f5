"""The table of noise levels that were tried for each class, with the ceilings."""

from collections.abc import Iterable
from dataclasses import astuple, dataclass
from pathlib import Path

from diagen.files.tables import read_rows, write_rows

COLUMNS = ("class", "level", "confidence", "images", "threshold", "tolerated", "ceiling")


@dataclass(frozen=True)
class Trial:
    """A level that was tried for a class.

    `confidence` is the mean in [0, 1] over the number of trial `images`, `threshold` the smallest one that is
    tolerated. `ceiling` is true for the largest tolerated level, exactly once per class.
    """

    class_name: str
    level: float
    confidence: float
    images: int
    threshold: float
    tolerated: bool
    ceiling: bool


def write_ceilings(trials: Iterable[Trial], path: Path) -> None:
    """Write `trials` atomically to the CSV file `path`."""
    rows = ((str(value).lower() if isinstance(value, bool) else value for value in astuple(trial)) for trial in trials)
    write_rows(COLUMNS, rows, path)


def read_ceilings(path: Path) -> dict[str, float]:
    """Read the ceiling of each class, a standard deviation. Raises `DamagedFile`."""
    rows = read_rows(
        path,
        COLUMNS,
        lambda values: (values["class"], float(values["level"]), values["ceiling"] == "true"),
    )
    return {class_name: level for class_name, level, ceiling in rows if ceiling}
