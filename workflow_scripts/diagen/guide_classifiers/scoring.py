"""Weights of synthetic images from the guide classifier's calibrated confidence in their class (eq. (2))."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from diagen.classifiers.cell_images import labels_of
from diagen.classifiers.heads import Head
from diagen.classifiers.image_features import augmented_features, plain_features
from diagen.config.programs import ScoreImagesSettings
from diagen.errors import InputError, delete_and_rerun
from diagen.generation.manifest_file import ManifestRow
from diagen.guide_classifiers.calibration import class_confidences
from diagen.models.classifier_body import Backbone
from diagen.seeds import stable_seed
from diagen.weighting.weights import normalize_per_group, transform_confidences
from diagen.weighting.weights_file import WeightRow


def score_images(
    backbone: Backbone,
    head: Head,
    temperature: float,
    rows: Sequence[ManifestRow],
    settings: ScoreImagesSettings,
    *,
    manifest: Path,
    store: Path,
    micro_batch: int,
    device: torch.device,
) -> list[WeightRow]:
    """Weigh the images in `store` that the `rows` of `manifest` list, in their order.

    The confidence is the mean over `settings.views` augmented views, or that of the plain view if `views` is 0. Raises
    `InputError` without images, or for a class that the guide classifier does not know.
    """
    if not rows:
        raise InputError(f"{manifest}: no images. {delete_and_rerun(manifest)}")
    paths = [store / row.file_name for row in rows]
    labels = labels_of([row.class_name for row in rows], head.classes, manifest)
    size = settings.image_size
    if settings.views:
        seeds = [[stable_seed(row.image_seed, "view", view) for view in range(settings.views)] for row in rows]
        augmentation = settings.augmentation
        by_image = augmented_features(
            backbone, paths, seeds, augmentation, size=size, micro_batch=micro_batch, device=device
        )
        views = list(by_image.transpose(0, 1).contiguous())
    else:
        views = [plain_features(backbone, paths, size=size, micro_batch=micro_batch, device=device)]
    confidences = np.mean([class_confidences(head.logits(view), labels, temperature) for view in views], 0).tolist()
    values = transform_confidences(confidences, settings.transform, settings.threshold)
    by_guide = settings.normalize == "guide_image"
    weights = normalize_per_group(values, [(row.class_name, row.guide if by_guide else None) for row in rows])
    return [
        WeightRow(row.file_name, confidence, temperature, weight)
        for row, confidence, weight in zip(rows, confidences, weights.tolist(), strict=True)
    ]
