"""Draws few-shot splits: guide, validation and test images (section 4 of the paper)."""

import os
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import PurePosixPath

import numpy as np

from diagen.data.gaps import copies_across_classes
from diagen.data.images_file import ImageRow
from diagen.data.images_needed import images_needed
from diagen.data.shots_file import ROLES, Shot
from diagen.errors import InputError
from diagen.letters import composed
from diagen.seeds import stable_seed


def draw_shots(
    images: Iterable[ImageRow],
    *,
    dataset: str,
    seed: int,
    shots: int,
    guide_pool: int,
    folds: int = 1,
    validation: bool = True,
    all_shots: bool = False,
) -> list[Shot]:
    """Draw the cell of `dataset`, `seed` and `shots`: guide, validation and test images by role, class and path.

    The seed permutes each class's train-val images. The first `shots` become guide images, so the guide images of a
    smaller number of shots are the first of those of a larger number; with `all_shots`, a class with fewer images gives
    what it has. The split `val` provides the validation images. Without it, the images after the first `guide_pool`
    validate, for each number of shots; in a class with no more images than that, the last one does if `validation` is
    needed. The permutation depends only on `dataset`, `seed`, the class and the file names.

    With more than one of `folds`, `seed` is `repeat * folds + fold`: the images of one fold of the repeat (see
    `divide`) are tested, and the others are drawn from. Raises `InputError` naming all classes with too few images for
    `shots` and, if needed, one validation image, and images with copies in another class.
    """
    if shots > guide_pool:
        raise InputError(f"`guide_pool`: {guide_pool} is less than {shots} shots; raise it to {shots} or more")
    train_val: dict[str, list[ImageRow]] = defaultdict(list)
    rows = []
    for image in images:
        if image.split == "train_val":
            train_val[image.class_name].append(image)
        else:
            rows.append(Shot(image.split, image.class_name, None, image.path, image.sha256))
    splits = {row.role for row in rows}
    if folds > 1:
        copied = copies_across_classes(image for found in train_val.values() for image in found)
        if copied:
            raise InputError(f"datasets.{dataset}: {copied[0]}")
        repeat, fold = divmod(seed, folds)
        for name, found in train_val.items():
            parts = divide(found, folds, stable_seed(dataset, repeat, name, "folds"))
            rows += [Shot("test", name, None, row.path, row.sha256) for row in parts.pop(fold)]
            train_val[name] = [row for part in parts for row in part]
    required = 1 if all_shots else shots
    needed = images_needed(splits, required, validation)
    few = {name: len(found) for name, found in sorted(train_val.items()) if len(found) < needed}
    if few:
        counts = ", ".join(f"`{name}` has {count}" for name, count in few.items())
        raise InputError(
            f"datasets.{dataset}: {required} shots need {needed} train-val images per class, but {counts}"
            f"{' beside the tested fold' if folds > 1 else ''}; add images, remove the class from `classes`, or lower "
            "`shots`"
        )
    own = needed - required  # images that validate because they are needed, however few there are
    for name, found in train_val.items():
        order = permute(found, stable_seed(dataset, seed, name, "shots"))
        guides = order[: min(shots, len(order) - own)]
        rows += [Shot("guide", name, guide, row.path, row.sha256) for guide, row in enumerate(guides)]
        validating = [] if "val" in splits else order[min(guide_pool, len(order) - own) :]
        rows += [Shot("val", name, None, row.path, row.sha256) for row in validating]
    return sorted(rows, key=_sort_key)


def divide(images: Sequence[ImageRow], folds: int, seed: int) -> list[list[ImageRow]]:
    """Divide one class's images into `folds` parts, whose numbers of different images differ by at most one.

    Equal files (by their SHA-256) are in one part. Depends only on `seed`, the files' names and which are equal.
    """
    parts: list[list[ImageRow]] = [[] for _ in range(folds)]
    numbers: dict[str, int] = {}
    for image in permute(images, seed):
        # The first part is another one in each class, so that the parts of all classes together are of similar size.
        parts[(numbers.setdefault(image.sha256, len(numbers)) + seed) % folds].append(image)
    return parts


def permute(images: Sequence[ImageRow], seed: int) -> list[ImageRow]:
    """Permute one class's images, depending only on `seed` and on their names below their common folder.

    Names are compared in composed Unicode, because file systems differ. NumPy guarantees that the streams of
    `RandomState` never change.
    """
    common = os.path.commonpath([PurePosixPath(image.path).parent for image in images])
    in_order = sorted(images, key=lambda image: composed(PurePosixPath(image.path).relative_to(common).as_posix()))
    return [in_order[index] for index in np.random.RandomState(seed).permutation(len(in_order))]


def _sort_key(row: Shot) -> tuple[int, str, int, str]:
    return ROLES.index(row.role), row.class_name, -1 if row.guide is None else row.guide, row.path
