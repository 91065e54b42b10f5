"""Few-shot splits: which images guide, which validate, which test (section 4 of the paper)."""

import os
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import PurePosixPath

import numpy as np

from diagen.data.images_file import ImageRow
from diagen.data.images_needed import images_needed
from diagen.data.shots_file import ROLES, Shot
from diagen.errors import InputError
from diagen.seeds import stable_seed


def draw_shots(images: Iterable[ImageRow], *, dataset: str, seed: int, shots: int, guide_pool: int) -> list[Shot]:
    """The cell of `dataset`, `seed` and `shots`: guide, validation and test images, sorted by role, class and path.

    The seed permutes each class's train-val images; the first `shots` guide, so that the guide images of fewer shots
    are the first of those of more. The images of the split `val` validate; of a dataset without it, the images after
    the first `guide_pool` do, whatever the number of shots, or the last one of a class with no more images than that.
    The permutation depends on `dataset`, `seed`, the class and the file names alone. Raises `InputError` naming every
    class with too few images for `shots`, and one that validates where there is no split for that.
    """
    if shots > guide_pool:
        raise InputError(f"{shots} shots are more than `guide_pool` ({guide_pool}); raise it to {shots} or more")
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
            f"{dataset}: {shots} shots need {needed} train-val images per class, but {counts}; "
            "add images, leave the class out (`classes`) or ask for fewer `shots`"
        )
    for name, found in train_val.items():
        order = permute(found, stable_seed(dataset, seed, name, "shots"))
        rows += [Shot("guide", name, guide, row.path, row.sha256) for guide, row in enumerate(order[:shots])]
        validating = [] if "val" in splits else order[min(guide_pool, len(order) - 1) :]
        rows += [Shot("val", name, None, row.path, row.sha256) for row in validating]
    return sorted(rows, key=_place)


def permute(images: Sequence[ImageRow], seed: int) -> list[ImageRow]:
    """A permutation of one class's images that depends on `seed` and their names below their common folder alone.

    Names are compared in composed Unicode, since file systems differ. `RandomState` is used because NumPy guarantees
    that its streams never change.
    """
    common = os.path.commonpath([PurePosixPath(image.path).parent for image in images])
    in_order = sorted(images, key=lambda image: _composed(PurePosixPath(image.path).relative_to(common).as_posix()))
    return [in_order[index] for index in np.random.RandomState(seed).permutation(len(in_order))]


def _composed(name: str) -> str:
    return unicodedata.normalize("NFC", name)


def _place(row: Shot) -> tuple[int, str, int, str]:
    return ROLES.index(row.role), row.class_name, -1 if row.guide is None else row.guide, row.path
