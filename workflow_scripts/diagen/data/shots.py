"""Draws few-shot splits: guide, validation and test images (section 4 of the paper)."""

import os
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import PurePosixPath

import numpy as np

from diagen.data.images_file import ImageRow
from diagen.data.images_needed import images_needed
from diagen.data.shots_file import ROLES, Shot
from diagen.errors import InputError
from diagen.letters import composed
from diagen.seeds import stable_seed


def draw_shots(images: Iterable[ImageRow], *, dataset: str, seed: int, shots: int, guide_pool: int) -> list[Shot]:
    """Draw the cell of `dataset`, `seed` and `shots`: guide, validation and test images by role, class and path.

    The seed permutes each class's train-val images. The first `shots` become guide images, so the guide images of a
    smaller number of shots are the first of those of a larger number. The split `val` provides the validation images.
    Without it, the images after the first `guide_pool` validate, for each number of shots; in a class with no more
    images than that, the last one does. The permutation depends only on `dataset`, `seed`, the class and the file
    names. Raises `InputError` naming all classes with too few images for `shots` and, without a split `val`, one
    validation image.
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
    needed = images_needed(splits, shots)
    few = {name: len(found) for name, found in sorted(train_val.items()) if len(found) < needed}
    if few:
        counts = ", ".join(f"`{name}` has {count}" for name, count in few.items())
        raise InputError(
            f"datasets.{dataset}: {shots} shots need {needed} train-val images per class, but {counts}; "
            "add images, remove the class from `classes`, or lower `shots`"
        )
    for name, found in train_val.items():
        order = permute(found, stable_seed(dataset, seed, name, "shots"))
        rows += [Shot("guide", name, guide, row.path, row.sha256) for guide, row in enumerate(order[:shots])]
        validating = [] if "val" in splits else order[min(guide_pool, len(order) - 1) :]
        rows += [Shot("val", name, None, row.path, row.sha256) for row in validating]
    return sorted(rows, key=_sort_key)


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
