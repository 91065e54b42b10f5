"""Leakage: images of one cell that are tested although a copy of them trains or validates.

An exact duplicate has the same file hash. A near-duplicate lies close in feature space: the same photo saved again, cut
or resized, or the next one of a series.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from diagen.data.images_file import ImageRow
from diagen.data.leakage_file import Leak, Twin
from diagen.data.shots_file import Shot
from diagen.errors import InputError

PAIRS = (("guide", "val"), ("guide", "test"), ("guide", "test_uncommon"), ("val", "test"), ("val", "test_uncommon"))
"""Roles to compare: the first one decides what is learned or kept, the second must not be known by then."""
CLOSEST = 6  # pairs that are kept for a look though they are no duplicates
PRODUCTS = 2**24  # distances computed at a time: 64 MiB


def unit_features(images: Sequence[ImageRow], features: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
    """Each image's features `[D]`, scaled to length one, by its path; `features` are `[n, D]`, in the images' order.

    Raises `InputError` when they belong to another table.
    """
    if len(features) != len(images):
        raise InputError(
            f"there are features of {len(features)} images, but the table lists {len(images)}: "
            "run extract_features again"
        )
    lengths = np.linalg.norm(features, axis=1, keepdims=True)
    scaled = features / np.maximum(lengths, np.finfo(np.float32).tiny)
    return {image.path: row for image, row in zip(images, scaled, strict=True)}


def audit_cell(
    cell: Sequence[Shot], seed: int, shots: int, features: Mapping[str, NDArray[np.float32]], near_distance: float
) -> list[Leak]:
    """The leaks between the roles of one cell, for each pair of `PAIRS` that it has images of.

    `features` are those of `unit_features`; images at most `near_distance` apart are near-duplicates.
    """
    unknown = [shot.path for shot in cell if shot.path not in features]
    if unknown:
        raise InputError(f"shots.csv names {unknown[0]}, which images.csv doesn't; draw the shots again")
    roles: dict[str, list[Shot]] = {}
    for shot in cell:
        roles.setdefault(shot.role, []).append(shot)
    leaks = []
    for earlier, later in PAIRS:
        if earlier not in roles or later not in roles:
            continue
        twins = sorted(_twins(roles[later], roles[earlier], features, near_distance), key=_by_kind_and_distance)
        counts = {kind: sum(twin.kind == kind for twin in twins) for kind in ("exact", "near")}
        kept = twins[: sum(counts.values()) + CLOSEST]
        leaks.append(Leak(seed, shots, earlier, later, len(twins), **counts, twins=tuple(kept)))
    return leaks


def _by_kind_and_distance(twin: Twin) -> tuple[int, float, str]:
    return ("exact", "near", "apart").index(twin.kind), twin.distance, twin.path


def _twins(
    images: Sequence[Shot], others: Sequence[Shot], features: Mapping[str, NDArray[np.float32]], near_distance: float
) -> list[Twin]:
    """The twin among `others` of each of `images`."""
    copies = {other.sha256: index for index, other in reversed(list(enumerate(others)))}
    references = np.stack([features[other.path] for other in others])
    queries = np.stack([features[image.path] for image in images])
    block = max(1, PRODUCTS // len(references))
    twins = []
    for start in range(0, len(images), block):
        cosines = queries[start : start + block] @ references.T
        for image, row in zip(images[start : start + block], cosines, strict=True):
            index = copies.get(image.sha256, int(row.argmax()))
            distance = round(max(0.0, 1.0 - float(row[index])), 6)
            near = "near" if distance <= near_distance else "apart"
            kind = "exact" if image.sha256 in copies else near
            twins.append(
                Twin(kind, distance, image.path, image.class_name, others[index].path, others[index].class_name)
            )
    return twins
