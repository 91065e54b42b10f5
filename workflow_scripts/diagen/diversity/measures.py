"""Precision, recall, density and coverage of one synthetic set against the dataset's real images (section 4)."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from diagen.config.programs import MeasureDiversitySettings
from diagen.data.images_file import ImageRow
from diagen.diversity.scopes import LabeledFeatures, diversity_by_scope
from diagen.files.json_files import DiversityEntry
from diagen.generation.manifest_file import ManifestRow
from diagen.weighting.drawing import drawn_shares


def measure_diversity(
    images: Sequence[ImageRow],
    real_features: NDArray[np.float32],
    manifest: Sequence[ManifestRow],
    synthetic_features: NDArray[np.float32],
    shares: Sequence[float] | None,
    settings: MeasureDiversitySettings,
    *,
    real_file: Path = Path("features.npy"),
    synthetic_file: Path = Path("features.npy"),
    weights_file: Path | None = None,
) -> list[DiversityEntry]:
    """The content of `diversity.json`: pooled and for each class, for each k of the settings.

    Features are `[n, D]`, in the order of `images` and of `manifest`. With `shares`, the weights of the synthetic
    images, the metrics are those of the set as training draws it (eq. (2)). The files are those of the features and
    weights. A k that is too large for the images is omitted, with a warning. Raises `InputError` when features or
    weights do not match the tables.
    """
    classes = [row.class_name for row in manifest]
    guides = [row.guide for row in manifest]
    weights = None if shares is None else drawn_shares(classes, guides, shares, weights=weights_file)
    real = LabeledFeatures(real_features, [row.class_name for row in images], file=real_file)
    synthetic = LabeledFeatures(synthetic_features, classes, weights, synthetic_file)
    # A separate validation split counts as part of train-val.
    chosen = [
        row
        for row, image in enumerate(images)
        if ("train_val" if image.split == "val" else image.split) in settings.real_splits
    ]
    return diversity_by_scope(
        real.take(chosen).subsample(settings.subsample, settings.seed, "real"),
        synthetic.subsample(settings.subsample, settings.seed, "synthetic"),
        settings.k,
    )
