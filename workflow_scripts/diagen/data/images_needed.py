"""The tables of a dataset: `images.csv`, and `skipped.csv` with the files that were left out."""

from collections.abc import Collection


def images_needed(splits: Collection[str], shots: int) -> int:
    """Images that a class needs in `train_val`: the shots, and one that validates unless there is a split `val`."""
    return shots if "val" in splits else shots + 1
