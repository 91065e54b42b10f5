"""The guide classifier: trained on the guide images, then calibrated by one temperature (section 3.4)."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from diagen.cells import Cell
from diagen.classifiers.cell_images import CellImages
from diagen.classifiers.image_features import decode_all, repeatable_features
from diagen.classifiers.linear_probe import Trained, train_head, validation_rows
from diagen.classifiers.recipe import Recipe
from diagen.config.programs import TrainGuideClassifierSettings
from diagen.guide_classifiers.calibration import Calibration, calibrate
from diagen.models.classifier_body import Backbone
from diagen.seeds import stable_seed
from diagen.weighting.drawing import drawing_probabilities


@dataclass(frozen=True)
class Calibrated:
    """A trained layer and its calibration; `None`, a temperature of 1, if a class has no validation images."""

    trained: Trained
    calibration: Calibration | None


def train_guide_classifier(
    backbone: Backbone,
    images: CellImages,
    settings: TrainGuideClassifierSettings,
    cell: Cell,
    *,
    checkpoint: Path | None = None,
    micro_batch: int,
    device: torch.device,
) -> Calibrated:
    """Train on the guide images, keep the epoch that the recipe selects, and fit the temperature to its layer.

    The best epoch has the lowest validation loss. Raises `InputError` when a loss is not finite, or when the best epoch
    is kept and there are no validation images.
    """
    recipe = Recipe(**settings.guide_classifier.model_dump(), image_size=settings.image_size, best="loss")
    seed_parts = (*cell, "guide")
    validation = None
    if images.validates(recipe.selection):
        view: dict[str, Any] = {"size": settings.image_size, "micro_batch": micro_batch, "device": device}
        validation = repeatable_features(backbone, images.paths["val"], **view), images.labels["val"]
    trained = train_head(
        backbone,
        decode_all(images.paths["guide"]),
        images.labels["guide"],
        drawing_probabilities(images.class_names("guide"), images.guides, [], [], None, 0.0),
        images.classes,
        validation,
        recipe,
        seed_parts=seed_parts,
        progress_label="train_guide_classifier",
        checkpoint=checkpoint,
        micro_batch=micro_batch,
        device=device,
    )
    if validation is None:
        return Calibrated(trained, None)
    features, labels = validation
    rows = validation_rows(labels, recipe, stable_seed(*seed_parts, "calibration"))
    return Calibrated(trained, calibrate(trained.head.logits(features())[rows], labels[rows]))
