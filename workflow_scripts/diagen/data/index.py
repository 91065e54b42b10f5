"""From a dataset's block to its images: an adapter lists the files, and each of them is read."""

import hashlib
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from diagen.config.datasets import Dataset, Photos
from diagen.data.adapters.files import leads_out
from diagen.data.adapters.interface import ListedImage
from diagen.data.adapters.registry import list_images
from diagen.data.images_file import ImageRow, SkippedImage
from diagen.data.images_needed import images_needed
from diagen.errors import InputError
from diagen.images import load_image
from diagen.runtime.progress import progress

PROBLEMS_SHOWN = 30


@dataclass(frozen=True)
class Index:
    """A dataset's images, and the files that were left out; both sorted by split, class and path."""

    images: list[ImageRow]
    skipped: list[SkippedImage]


def index_dataset(dataset: Dataset, shots: int = 0) -> Index:
    """Every image of the dataset, enough of them in each class for `shots`.

    Each file is decoded whole, so that a broken one is found now and not hours later. Raises `InputError`, which
    lists everything wrong with the dataset at once: missing folders, classes without images or with too few, classes
    that are not there or have a name that can't be used, and, unless these are skipped, files that can't be read as
    images or lie outside of the dataset.
    """
    listing = list_images(dataset)
    problems = list(listing.problems)
    skip = isinstance(dataset, Photos) and dataset.on_bad_image == "skip"
    rows, skipped = [], []
    with ThreadPoolExecutor() as pool:
        outcomes = pool.map(lambda listed: _row_or_reason(listed, Path(dataset.root)), listing.images)
        counted = progress(outcomes, total=len(listing.images), progress_label="index_dataset", unit="images")
        for listed, outcome in zip(listing.images, counted, strict=True):
            if isinstance(outcome, ImageRow):
                rows.append(outcome)
            elif skip:
                skipped.append(SkippedImage(listed.path.as_posix(), listed.class_name, listed.split, outcome))
            else:
                problems.append(outcome)
    # What is wrong with the layout comes first: thirty broken files mustn't hide it.
    problems[len(listing.problems) : len(listing.problems)] = _too_few(listing.images, rows, shots)
    if problems:
        shown = "".join(f"\n  - {problem}" for problem in problems[:PROBLEMS_SHOWN])
        more = f"\n  - and {len(problems) - PROBLEMS_SHOWN} more" if len(problems) > PROBLEMS_SHOWN else ""
        raise InputError(f"the dataset in `{dataset.root}` can't be used:{shown}{more}")
    return Index(sorted(rows, key=_place), sorted(skipped, key=_place))


def _place(row: ImageRow | SkippedImage) -> tuple[str, str, str]:
    return row.split, row.class_name, row.path


def _row_or_reason(listed: ListedImage, root: Path) -> ImageRow | str:
    """The image's row, or the sentence that says why there is none."""
    if leads_out(listed.path, root):
        return f"`{listed.path}` leads out of `{root}`; put the file itself there or remove it"
    try:
        width, height = load_image(listed.path).size
        with open(listed.path, "rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    except InputError as error:
        return str(error)
    return ImageRow(listed.path.as_posix(), listed.class_name, listed.split, width, height, sha256)


def _too_few(listed: list[ListedImage], rows: list[ImageRow], shots: int) -> Iterator[str]:
    """One sentence for each class with too few images that can be read, and one if there is nothing to test."""
    needed = images_needed({image.split for image in listed}, shots)
    counts = Counter(row.class_name for row in rows if row.split == "train_val")
    for name in sorted({image.class_name for image in listed}):
        if counts[name] < needed:
            yield (
                f"the class `{name}` has {counts[name]} train-val images that can be read, and {shots} shots need "
                f"{needed}; add images, leave the class out (`classes`) or ask for fewer `shots`"
            )
    if listed and not any(row.split == "test" for row in rows):
        yield "no image is there to test; add test images"
