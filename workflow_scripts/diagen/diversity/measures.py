"""Precision, recall, density and coverage of a synthetic set, and of real images as their ceiling (section 4)."""

from collections.abc import Collection, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from diagen.config.programs import MeasureCeilingSettings, MeasureDiversitySettings
from diagen.data.images_file import ImageRow
from diagen.diversity.equal_size import ceiling_entries, equal_size_entries
from diagen.diversity.scopes import LabeledFeatures, diversity_by_scope, subsampled_rows
from diagen.files.json_files import DiversityEntry
from diagen.generation.manifest_file import ManifestRow
from diagen.weighting.drawing import drawn_shares


def measure_diversity(
    images: Sequence[ImageRow],
    real_features: NDArray[np.float32],
    guides: Collection[str],
    manifest: Sequence[ManifestRow],
    synthetic_features: NDArray[np.float32],
    shares: Sequence[float] | None,
    settings: MeasureDiversitySettings,
    *,
    real_file: Path = Path("features.npy"),
    synthetic_file: Path = Path("features.npy"),
    weights_file: Path | None = None,
) -> list[DiversityEntry]:
    """The content of `diversity.json`: for each variant, pooled and for each class, for each k of the settings.

    Features are `[n, D]`, in the order of `images` and of `manifest`. `guides` are the SHA-256 of the cell's guide
    images: `paper` compares with all real images, `without_guides` without them, and `equal_size` also with sets of
    equal size. With `shares`, the weights of the synthetic images, the metrics are those of the set as training draws
    it (eq. (2)). The files are those of the features and weights. A k that is too large for the images is omitted, with
    a warning. Raises `InputError` when features or weights do not match the tables.
    """
    classes = [row.class_name for row in manifest]
    weights = None
    if shares is not None:
        weights = drawn_shares(classes, [row.guide for row in manifest], shares, weights=weights_file)
    real = LabeledFeatures(real_features, [row.class_name for row in images], file=real_file)
    synthetic = LabeledFeatures(synthetic_features, classes, weights, synthetic_file)
    rows = _real_rows(images, settings.real_splits)
    part = [rows[number] for number in subsampled_rows(len(rows), settings.subsample, settings.seed, "real")]
    unseen = [row for row in part if images[row].sha256 not in guides]
    compared = synthetic.subsample(settings.subsample, settings.seed, "synthetic")
    distinct = _distinct(rows, images)
    return [
        *diversity_by_scope(real.take(part), compared, settings.k),
        *diversity_by_scope(real.take(unseen), compared, settings.k, "without_guides"),
        *equal_size_entries(
            real.take(distinct),
            [images[row].sha256 in guides for row in distinct],
            synthetic,
            settings.k,
            settings.equal_size,
            subsample=settings.subsample,
            seed=settings.seed,
        ),
    ]


def measure_ceiling(
    images: Sequence[ImageRow],
    features: NDArray[np.float32],
    settings: MeasureCeilingSettings,
    *,
    file: Path = Path("features.npy"),
) -> list[DiversityEntry]:
    """The content of `ceiling.json`: the variant `equal_size` with other real images in place of synthetic ones.

    `features` `[n, D]` from `file` are in the order of `images`. Omissions and errors are as in `measure_diversity`.
    """
    real = LabeledFeatures(features, [row.class_name for row in images], file=file)
    distinct = _distinct(_real_rows(images, settings.real_splits), images)
    return ceiling_entries(real.take(distinct), settings.k, settings.equal_size, settings.subsample)


def _real_rows(images: Sequence[ImageRow], splits: Collection[str]) -> list[int]:
    """The rows of the images in the given splits, where a separate validation split is part of train-val."""
    return [row for row, image in enumerate(images) if ("train_val" if image.split == "val" else image.split) in splits]


def _distinct(rows: Sequence[int], images: Sequence[ImageRow]) -> list[int]:
    """The rows without those of files that an earlier row has, so that sets of different rows are disjoint."""
    first: dict[str, int] = {}
    for row in rows:
        first.setdefault(images[row].sha256, row)
    return list(first.values())
