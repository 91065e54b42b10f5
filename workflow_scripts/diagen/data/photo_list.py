"""Whether the photos that a dataset has now are those that were indexed, told without opening one."""

from pathlib import Path

from diagen.config.datasets import Photos
from diagen.data.adapters.registry import list_images
from diagen.data.images_file import read_images, read_skipped


def photos_changed(dataset: Photos, images: Path, skipped: Path) -> str | None:
    """How the photos that an adapter lists differ from those in `images.csv` and `skipped.csv`; None if they don't.

    Photos that were added, removed, renamed or moved are noticed, others under the same names aren't, nor are other
    classes and splits of the same photos. Raises `InputError` when one of the tables is damaged.
    """
    try:
        listing = list_images(dataset)
    except OSError as error:
        return f"can't be read ({error.strerror}: {error.filename})"
    indexed = {row.path for row in [*read_images(images), *read_skipped(skipped)]}
    listed = {image.path.as_posix() for image in listing.images}
    told = [
        f"{what} {len(paths)} photo{'s' if len(paths) > 1 else ''} (such as {min(paths)})"
        for what, paths in (("has", listed - indexed), ("lacks", indexed - listed))
        if paths
    ]
    told += [f"can't be indexed as it is ({listing.problems[0]})"] if listing.problems else []
    return " and ".join(told) or None
