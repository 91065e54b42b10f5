"""The number of images that a class needs for training, and for choosing an epoch."""

from collections.abc import Collection, Mapping

from diagen.errors import Problem
from diagen.letters import shortened

CLASSES_SHOWN = 10
ENOUGH_VALIDATION = 5  # with fewer images, the accuracy of a class has steps of 25 points or more


def images_needed(splits: Collection[str], shots: int, validation: bool = True) -> int:
    """`shots`, plus one image if `validation` is needed and the dataset has no split `val`."""
    return shots + 1 if validation and "val" not in splits else shots


def training_part(copies: Collection[int], folds: int) -> int:
    """The images of a class that are left for training if the largest of its folds is tested, at worst.

    `copies` are the numbers of equal files, 1 for each image that has no copy; copies are in one fold. Without folds
    (1), all images are left.
    """
    if folds == 1:
        return sum(copies)
    largest_fold = -(-len(copies) // folds)
    return sum(sorted(copies)[: len(copies) - largest_fold])


def classes_below_folds(counts: Mapping[str, int], folds: int) -> Problem | None:
    """A note if classes have fewer images than folds, so that some folds test none of them."""
    few = [f"`{name}` ({count})" for name, count in sorted(counts.items()) if count < folds]
    if not few:
        return None
    return Problem(
        f"some of the {folds} folds test no image of {shortened(few, CLASSES_SHOWN)}; each image is still tested once"
    )


def few_validation_images(counts: Mapping[str, int]) -> Problem | None:
    """A warning if classes have fewer than `ENOUGH_VALIDATION` validation images; `counts` are those of each class."""
    few = [f"`{name}` has {count}" for name, count in sorted(counts.items()) if count < ENOUGH_VALIDATION]
    if not few:
        return None
    return Problem(
        f"`selection: best` chooses an epoch by fewer than {ENOUGH_VALIDATION} validation images of a class, which is "
        f"mostly chance: {shortened(few, CLASSES_SHOWN)}. Add images, or set `selection: last`"
    )
