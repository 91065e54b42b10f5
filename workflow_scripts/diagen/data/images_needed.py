"""The number of train-val images that a class needs."""

from collections.abc import Collection


def images_needed(splits: Collection[str], shots: int) -> int:
    """`shots`, plus one image for validation unless the dataset has a split `val`."""
    return shots if "val" in splits else shots + 1
