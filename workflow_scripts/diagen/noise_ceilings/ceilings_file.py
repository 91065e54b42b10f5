"""How much noise each class's word bears (beyond the paper, which leaves open how to choose the level per class).

A level is borne by a class if the guide classifier's mean calibrated confidence q in the class's images stays at least
`keep` times what it is for the same images without noise, and at least at chance, 1 / number of classes. More noise is
taken to mean less confidence, so that the largest such level, the ceiling, is found by halving a grid of levels; all
classes are tried together, each at a level of its own. No noise at all is always borne.
"""

from collections.abc import Iterable
from dataclasses import astuple, dataclass
from pathlib import Path

from diagen.files.tables import read_rows, write_rows

COLUMNS = ("class", "level", "confidence", "images", "threshold", "borne", "ceiling")


@dataclass(frozen=True)
class Trial:
    """A level that was tried for a class: the mean confidence in [0, 1] of its `images`, and the least one allowed.

    `ceiling` is true for the largest borne level; each class has exactly one.
    """

    class_name: str
    level: float
    confidence: float
    images: int
    threshold: float
    borne: bool
    ceiling: bool


def write_ceilings(trials: Iterable[Trial], path: Path) -> None:
    """Write `trials` to the CSV file `path`, which appears whole or not at all."""
    rows = ((str(value).lower() if isinstance(value, bool) else value for value in astuple(trial)) for trial in trials)
    write_rows(COLUMNS, rows, path)


def read_ceilings(path: Path) -> dict[str, float]:
    """The ceiling of each class in a table of `find_noise_ceilings`. Raises `InputError` when it is damaged."""
    rows = read_rows(
        path,
        COLUMNS,
        lambda values: (values["class"], float(values["level"]), values["ceiling"] == "true"),
    )
    return {class_name: level for class_name, level, ceiling in rows if ceiling}
