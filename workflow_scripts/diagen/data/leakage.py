"""Leakage: test images of one cell that have a duplicate among its guide or validation images.

An exact duplicate has the same file hash. A near-duplicate is close in feature space: the same photo saved again,
cropped or resized, or the next one of a series.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from diagen.data.images_file import ImageRow
from diagen.data.leakage_file import Leak, Twin, TwinKind
from diagen.data.shots_file import Shot
from diagen.errors import InputError, delete_and_rerun

PAIRS = (("guide", "val"), ("guide", "test"), ("guide", "test_uncommon"), ("val", "test"), ("val", "test_uncommon"))
"""Roles to compare: images of the first are used to learn or to select, images of the second must be new."""
CLOSEST = 6  # closest pairs listed for inspection, besides the duplicates


def unit_features(
    images: Sequence[ImageRow], features: NDArray[np.float32], file: Path
) -> dict[str, NDArray[np.float32]]:
    """Each image's features `[D]`, scaled to length 1, by its path.

    `features` are those of `file`, `[n, D]` in the order of `images`. Raises `InputError` if the numbers of rows
    differ.
    """
    if len(features) != len(images):
        raise InputError(
            f"{file}: {len(features)} rows, but images.csv lists {len(images)} images. {delete_and_rerun(file)}"
        )
    lengths = np.linalg.norm(features, axis=1, keepdims=True)
    scaled = features / np.maximum(lengths, np.finfo(np.float32).tiny)
    return {image.path: row for image, row in zip(images, scaled, strict=True)}


def audit_cell(
    cell: Sequence[Shot],
    seed: int,
    shots: int,
    features: Mapping[str, NDArray[np.float32]],
    near_distance: float,
    file: Path,
) -> list[Leak]:
    """The leaks between the roles of one cell, for each pair of `PAIRS` of which the cell has images.

    `cell` are the rows of `file`, `features` those of `unit_features`; images at most `near_distance` apart are
    near-duplicates. Raises `InputError` if an image of the cell has no features.
    """
    unknown = [shot.path for shot in cell if shot.path not in features]
    if unknown:
        raise InputError(f"{file}: {unknown[0]} is not in images.csv. {delete_and_rerun(file)}")
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
    import faiss  # of the modules that import this one, only the audit needs it

    copies = {other.sha256: index for index, other in reversed(list(enumerate(others)))}
    references = np.stack([features[other.path] for other in others])
    queries = np.stack([features[image.path] for image in images])
    _, nearest = faiss.knn(queries, references, 1, metric=faiss.METRIC_INNER_PRODUCT)
    twins = []
    for image, query, found in zip(images, queries, nearest[:, 0].tolist(), strict=True):
        index = copies.get(image.sha256, found)
        distance = round(max(0.0, 1.0 - float(query @ references[index])), 6)
        near: TwinKind = "near" if distance <= near_distance else "apart"
        kind: TwinKind = "exact" if image.sha256 in copies else near
        other = others[index]
        twins.append(Twin(kind, distance, image.path, image.class_name, other.path, other.class_name))
    return twins
