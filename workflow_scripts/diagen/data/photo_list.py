"""Compares the photos of a dataset with its index, without opening them."""

from pathlib import Path

from diagen.config.datasets import Dataset
from diagen.data.adapters.registry import list_images
from diagen.data.images_file import read_images, read_skipped


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
        f"{verb} {len(paths)} photo{'s' if len(paths) > 1 else ''} (such as {min(paths)})"
        for verb, paths in (("has", listed - indexed), ("lacks", indexed - listed))
        if paths
    ]
    changes += [f"cannot be indexed as it is ({listing.problems[0]})"] if listing.problems else []
    return " and ".join(changes) or None
