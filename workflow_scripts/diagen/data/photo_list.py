"""Counts the photos of a dataset, and compares them with its index, without opening them."""

from collections import Counter
from pathlib import Path

from diagen.config import Config
from diagen.config.datasets import MOST_FOLDS, Coco, Dataset, DrawnWorld
from diagen.data.adapters.registry import list_images
from diagen.data.images_file import read_images, read_skipped
from diagen.errors import InputError, Problem, rm


def with_counted_folds(config: Config) -> Config:
    """The configuration with a number instead of `folds: leave_one_out`: the photos of the largest class, at least 2.

    Raises `InputError` if there are too many.
    """
    evaluation = config.evaluation
    if evaluation is None or evaluation.folds != "leave_one_out":
        return config
    (dataset,) = config.datasets.values()
    folds = max(2, *Counter(image.class_name for image in list_images(dataset).images).values(), 0)
    if folds > MOST_FOLDS:
        raise InputError(
            f"`evaluation.folds`: `leave_one_out` would make {folds} folds of {dataset.root}; set a number, such as 5"
        )
    return config.model_copy(update={"evaluation": evaluation.model_copy(update={"folds": folds})})


def photos_warning(name: str, dataset: Dataset, images: Path, skipped: Path) -> Problem | None:
    """A warning if the dataset's photos differ from their index, the tables `images` and `skipped`.

    The annotations of COCO are too many to read at each start, so it is not compared. A damaged index is left to the
    jobs that read it.
    """
    if isinstance(dataset, Coco | DrawnWorld) or not (images.is_file() and skipped.is_file()):
        return None
    try:
        changed = photos_changed(dataset, images, skipped)
    except (InputError, OSError):
        return None
    if not changed:
        return None
    return Problem(
        f"`datasets.{name}`: {dataset.root} differs from the indexed photos: it {changed}. To index it again "
        f"(automatic if the dataset's settings have changed as well): {rm(images)}"
    )


def photos_changed(dataset: Dataset, images: Path, skipped: Path) -> str | None:
    """How the photos in the dataset's folder differ from those in `images.csv` and `skipped.csv`; None if they do not.

    Finds photos that were added, removed, renamed or moved, but not ones replaced under the same name, nor another
    class or split of the same photo. Raises `InputError` if one of the tables is damaged.
    """
    try:
        listing = list_images(dataset)
    except OSError as error:
        return f"cannot be read ({error.strerror}: {error.filename})"
    indexed = {row.path for row in read_images(images)} | {row.path for row in read_skipped(skipped)}
    listed = {image.path.as_posix() for image in listing.images}
    changes = [
        f"{verb} {len(paths)}{more} photo{'s' if len(paths) > 1 else ''} (such as {min(paths)})"
        for verb, more, paths in (("has", " more", listed - indexed), ("lacks", "", indexed - listed))
        if paths
    ]
    changes += [f"cannot be indexed as it is ({listing.problems[0]})"] if listing.problems else []
    return " and ".join(changes) or None
