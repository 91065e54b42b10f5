"""The plan: guide image, prompt, noise level and seeds of every synthetic image (sections 3.2 to 3.4)."""

from collections.abc import Iterable
from dataclasses import astuple, dataclass
from pathlib import Path

from diagen.files.tables import read_rows, write_rows

COLUMNS = (
    "class",
    "guide",
    "guide_path",
    "guide_sha256",
    "number",
    "prompt",
    "noise_level",
    "noise_seed",
    "image_seed",
)


@dataclass(frozen=True)
class PlanRow:
    """A planned synthetic image: the `number`-th (from 0) of guide image `guide` of a class.

    `prompt` has the pseudo-word of the class, or its plain name if no word is learned; `noise_level` is the standard
    deviation of the noise that is added to the word's vectors; seeds are in [0, 2**31).
    """

    class_name: str
    guide: int
    guide_path: str
    guide_sha256: str
    number: int
    prompt: str
    noise_level: float
    noise_seed: int
    image_seed: int


def write_plan(rows: Iterable[PlanRow], path: Path) -> None:
    """Write `rows` atomically to the CSV file `path`."""
    write_rows(COLUMNS, map(astuple, rows), path)


def read_plan(path: Path) -> list[PlanRow]:
    """Read a `plan.csv`. Raises `DamagedFile`."""
    return read_rows(path, COLUMNS, _row)


def _row(values: dict[str, str]) -> PlanRow:
    return PlanRow(
        values["class"],
        int(values["guide"]),
        values["guide_path"],
        values["guide_sha256"],
        int(values["number"]),
        values["prompt"],
        float(values["noise_level"]),
        int(values["noise_seed"]),
        int(values["image_seed"]),
    )
