"""Trial images with noise on the words, and the guide classifier's confidence in them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

import torch
from torch import Tensor

from diagen.cells import Cell
from diagen.classifiers.cell_images import labels_of
from diagen.classifiers.heads import Head
from diagen.classifiers.image_features import plain_features
from diagen.config.programs import FindNoiseCeilingsSettings
from diagen.data.shots_file import Shot
from diagen.generation.fill import generate, image_names, missing_rows
from diagen.guide_classifiers.calibration import class_confidences
from diagen.models.classifier_body import Backbone
from diagen.models.diffusion import Diffusion
from diagen.noise_ceilings.ceilings import find_ceilings, probe_rows
from diagen.noise_ceilings.ceilings_file import Trial


@dataclass(frozen=True)
class Models:
    """The models that generate and classify trial images: Stable Diffusion, learned words and guide classifier."""

    diffusion: Diffusion
    words: Mapping[str, Tensor]
    backbone: Backbone
    head: Head
    temperature: float


def run_trials(
    models: Models,
    shots: Sequence[Shot],
    cell: Cell,
    settings: FindNoiseCeilingsSettings,
    *,
    store: Path,
    micro_batch: int,
    device: torch.device,
) -> list[Trial]:
    """Find the noise ceiling of each class with a learned word; returns all trials.

    Trial images are generated into `store`.
    """

    def confidences(levels: Mapping[str, float]) -> dict[str, float]:
        """Compute the mean confidence of each class in its trial images at its level."""
        rows = probe_rows(shots, levels, settings.images_per_level, cell)
        names = image_names(rows, models.words, settings.generation)
        missing = missing_rows(rows, names, store)
        generate(models.diffusion, missing, models.words, settings.generation, store, micro_batch)
        paths = [store / name for name in names]
        features = plain_features(
            models.backbone, paths, size=settings.image_size, micro_batch=micro_batch, device=device
        )
        labels = labels_of([row.class_name for row in rows], models.head.classes, Path("shots.csv"))
        values = class_confidences(models.head.logits(features), labels, models.temperature)
        pairs = list(zip(rows, values, strict=True))
        return {name: fmean(value for row, value in pairs if row.class_name == name) for name in levels}

    return find_ceilings(
        sorted(models.words),
        settings.levels,
        keep=settings.keep,
        images=settings.images_per_level,
        confidences=confidences,
    )
