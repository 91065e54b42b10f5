"""A cell of the experiment's grid."""

from typing import NamedTuple


class Cell(NamedTuple):
    """One dataset, seed and number of shots: the unit of work of most stages, and the first part of its seeds."""

    dataset: str
    seed: int
    shots: int
