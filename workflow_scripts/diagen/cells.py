"""A cell of the experiment's grid."""

from typing import NamedTuple


class Cell(NamedTuple):
    """One dataset, seed and number of shots: what a job of most stages works on, and the first part of its seeds."""

    dataset: str
    seed: int
    shots: int
