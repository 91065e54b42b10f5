"""Indexes a dataset: its adapter lists the files, and each file is decoded."""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from diagen.config.datasets import Dataset, ImageFolder, Photos
from diagen.data.adapters.files import is_outside
from diagen.data.adapters.interface import ListedImage, Listing
from diagen.data.adapters.registry import list_images
from diagen.data.gaps import copies_across_classes, split_gaps, too_few_classes
from diagen.data.images_file import ImageRow, SkippedImage
from diagen.data.images_needed import classes_below_folds, images_needed, training_part
from diagen.errors import InputError, Problem
from diagen.images import load_image
from diagen.letters import shortened
from diagen.runtime.progress import progress

PROBLEMS_SHOWN = 30


@dataclass(frozen=True)
class Index:
    """A dataset's images and the files that were left out, both sorted by split, class and path; and notes.

    `notes` are lines for the log: what was passed over, notes of the adapter, and splits that lack a class.
    """

    images: list[ImageRow]
    skipped: list[SkippedImage]
    notes: list[str]


def index_dataset(dataset: Dataset, shots: int = 0, *, folds: int = 1, validation: bool = True) -> Index:
    """List and decode all images of the dataset, and check that each class has enough of them for `shots`.

    If `validation` is needed, one more must be left for it. With more than one of `folds`, those outside of the tested
    fold must be enough.

    Each file is decoded completely, so that a broken one stops the run now and not hours later. Raises `InputError`,
    which lists all problems of the dataset together: missing folders, no images, a single class, classes without
    images or with too few, unknown classes, unusable class names and, unless `on_bad_image` is `skip`, files that are
    not readable images or are outside of the dataset.
    """
    listing = list_images(dataset)
    problems = list(listing.problems)
    on_bad_image = dataset.on_bad_image if isinstance(dataset, Photos) else None
    rows, skipped = [], []
    with ThreadPoolExecutor() as pool:
        outcomes = pool.map(lambda listed: _row_or_problem(listed, Path(dataset.root)), listing.images)
        counted = progress(outcomes, total=len(listing.images), progress_label="index_dataset", unit="images")
        for listed, outcome in zip(listing.images, counted, strict=True):
            if isinstance(outcome, ImageRow):
                rows.append(outcome)
            elif on_bad_image == "skip":
                skipped.append(SkippedImage(listed.path.as_posix(), listed.class_name, listed.split, outcome))
            else:
                problems.append(Problem(f"{outcome}, or set `on_bad_image: skip`") if on_bad_image else outcome)
    # Problems of the layout come first, so that 30 broken files do not hide them.
    problems[len(listing.problems) : len(listing.problems)] = [
        *_too_few(listing, rows, shots, folds, validation),
        *_untestable(dataset, rows, folds),
    ]
    if problems:
        shown = "".join(f"\n  - {problem}" for problem in problems[:PROBLEMS_SHOWN])
        more = f"\n  - and {len(problems) - PROBLEMS_SHOWN} more" if len(problems) > PROBLEMS_SHOWN else ""
        raise InputError(f"{dataset.root}: this dataset cannot be used:{shown}{more}")
    gaps = split_gaps((row.split, row.class_name) for row in rows)
    below = classes_below_folds(Counter(row.class_name for row in rows), folds)
    notes = [
        *_passed_over(listing.passed_over),
        *_left_out(skipped),
        *listing.notes,
        *gaps,
        *([below] if below else []),
    ]
    return Index(sorted(rows, key=_sort_key), sorted(skipped, key=_sort_key), notes)


def _passed_over(paths: list[str]) -> list[str]:
    if not paths:
        return []
    return [f"passed over {len(paths)} entries that hold no images of a class: {shortened(paths, PROBLEMS_SHOWN)}"]


def _left_out(skipped: list[SkippedImage]) -> list[str]:
    return [f"left out {len(skipped)} files that cannot be used; skipped.csv has the reasons"] if skipped else []


def _sort_key(row: ImageRow | SkippedImage) -> tuple[str, str, str]:
    return row.split, row.class_name, row.path


def _row_or_problem(listed: ListedImage, root: Path) -> ImageRow | Problem:
    """The image's row, or why the file cannot be used."""
    if is_outside(listed.path, root):
        return Problem(f"{listed.path}: outside of `{root}`; copy the file into the dataset or remove it")
    try:
        width, height = load_image(listed.path).size
        with open(listed.path, "rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    except InputError as error:
        return Problem(f"{error} ({listed.origin})" if listed.origin else str(error))
    return ImageRow(listed.path.as_posix(), listed.class_name, listed.split, width, height, sha256)


def _too_few(listing: Listing, rows: list[ImageRow], shots: int, folds: int, validation: bool) -> Iterator[Problem]:
    """One problem for each class with too few readable images, and one for too few classes."""
    listed = listing.images
    needed = max(1, images_needed({image.split for image in listed}, shots, validation))
    copies: dict[str, Counter[str]] = defaultdict(Counter)
    for row in rows:
        if row.split == "train_val":
            copies[row.class_name][row.sha256] += 1
    reason, remedy = (f"{shots} shots need {needed}", ", or lower `shots`") if shots else ("each class needs one", "")
    for name in sorted({image.class_name for image in listed}):
        left = training_part(copies[name].values(), folds)
        if left < needed:
            beside = f" ({left} beside the largest of {folds} folds)" if folds > 1 else ""
            yield Problem(
                f"the class `{name}` has {copies[name].total()} readable train-val images{beside}, and {reason}; add "
                f"images, or remove the class from `classes`{remedy}"
            )
    if listed or not listing.problems:  # other problems explain why nothing is listed
        yield from too_few_classes(image.class_name for image in listed)


def _untestable(dataset: Dataset, rows: list[ImageRow], folds: int) -> Iterator[Problem]:
    """Problems of testing: no test images; with folds, too few images to fill them, or copies in two classes."""
    if not (isinstance(dataset, ImageFolder) and dataset.test is None):
        if rows and not any(row.split == "test" for row in rows):
            yield Problem("the dataset has no test images; add some, or set `test: none`")
    elif folds > 1 and rows:
        different = Counter(name for name, _ in {(row.class_name, row.sha256) for row in rows})
        name, most = max(different.items(), key=lambda item: item[1])
        if most < folds:
            yield Problem(
                f"there are {folds} folds, but at most {most} different images of a class (`{name}`), so some folds "
                f"would test nothing; set `evaluation.folds` to at most {most}"
            )
        yield from copies_across_classes(rows)
