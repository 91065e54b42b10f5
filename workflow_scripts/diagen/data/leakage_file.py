"""The file `leakage.json`: duplicates between the guide, validation and test images of each cell."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from pydantic import TypeAdapter

from diagen.files.atomic import atomic_path
from diagen.files.tables import read_json

TwinKind = Literal["exact", "near", "apart"]


@dataclass(frozen=True)
class Twin:
    """An image of the later role, and its most similar image in the earlier role.

    `kind` is `exact`, `near` or `apart`; `distance` is 1 - cosine of their features, in [0, 2].
    """

    kind: TwinKind
    distance: float
    path: str
    class_name: str
    twin_path: str
    twin_class: str


@dataclass(frozen=True)
class Leak:
    """The duplicates between two roles of a cell.

    Of the `images` of the role `later`, `exact` and `near` ones have a duplicate in the role `earlier`. `twins` are
    all of these and the most similar others, by distance.
    """

    seed: int
    shots: int
    earlier: str
    later: str
    images: int
    exact: int
    near: int
    twins: tuple[Twin, ...]


@dataclass(frozen=True)
class Audit:
    """The content of `leakage.json`: images at most `near_distance` apart are near-duplicates."""

    near_distance: float
    leaks: list[Leak]


def write_leaks(leaks: Sequence[Leak], near_distance: float, path: Path) -> None:
    """Write the audit of all cells to the JSON file `path`, atomically."""
    content = asdict(Audit(near_distance, list(leaks)))
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def read_leaks(path: Path) -> tuple[list[Leak], float]:
    """Read a `leakage.json`: the leaks, and the largest distance of near-duplicates.

    Raises `DamagedFile`.
    """
    audit = read_json(path, TypeAdapter(Audit))
    return audit.leaks, audit.near_distance
