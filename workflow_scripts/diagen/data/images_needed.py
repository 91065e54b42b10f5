"""The tables of a dataset: `images.csv`, and `skipped.csv` with the files that were left out."""

from collections.abc import Collection, Iterable
from dataclasses import astuple, dataclass
from pathlib import Path

from diagen.data.adapters.interface import SPLITS
from diagen.files.tables import read_rows, write_rows


def images_needed(splits: Collection[str], shots: int) -> int:
    """Images that a class needs in `train_val`: the shots, and one that validates unless there is a split `val`."""
    return shots if "val" in splits else shots + 1
