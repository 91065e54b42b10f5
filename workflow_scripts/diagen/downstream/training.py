"""The downstream classifier of a method: trained on real and synthetic images, tested at the kept epoch (section 4)."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from diagen.cells import Cell
from diagen.classifiers.cell_images import CellImages, labels_of
from diagen.classifiers.image_features import decode_all, plain_features, repeatable_features
from diagen.classifiers.linear_probe import Trained, train_head
from diagen.classifiers.recipe import Recipe
from diagen.config import Downstream
from diagen.config.programs import TrainDownstreamSettings
from diagen.downstream.results import metrics_of, predictions_of
from diagen.downstream.stored_features import stored_features
from diagen.files.predictions_file import Prediction
from diagen.generation.manifest_file import ManifestRow
from diagen.models.classifier_body import Backbone
from diagen.weighting.drawing import drawing_probabilities


@dataclass(frozen=True)
class Synthetic:
    """The synthetic images of a method: `rows` of the table `manifest`, with images in the folder `store`.

    `shares` are the weights from the table `weights`, which sum to 1 over the images of each guide image or class;
    `None` means equal weights. Without synthetic images there are no tables.
    """

    rows: Sequence[ManifestRow]
    shares: Sequence[float] | None
    store: Path
    manifest: Path | None = None
    weights: Path | None = None


@dataclass(frozen=True)
class Tested:
    """A trained layer, the content of its `metrics.json`, and its predictions for all images of all splits."""

    trained: Trained
    metrics: dict[str, object]
    predictions: list[Prediction]


def recipe_of(settings: Downstream) -> Recipe:
    """The recipe of a downstream classifier, whose best epoch has the highest validation accuracy."""
    return Recipe(**settings.model_dump(), best="accuracy")


def train_downstream(
    backbone: Backbone,
    images: CellImages,
    synthetic: Synthetic,
    settings: TrainDownstreamSettings,
    cell: Cell,
    *,
    checkpoint: Path | None = None,
    micro_batch: int,
    device: torch.device,
) -> Tested:
    """Train on guide images and synthetic images, drawn by eq. (2), and test the kept epoch.

    Raises `InputError` when a loss is not finite, when the synthetic images do not match the guide images, or when the
    best epoch is kept and there are no validation images.
    """
    recipe = recipe_of(settings.downstream)
    classes = [row.class_name for row in synthetic.rows]
    probabilities = drawing_probabilities(
        images.class_names("guide"),
        images.guides,
        classes,
        [row.guide for row in synthetic.rows],
        synthetic.shares,
        settings.synthetic_probability,
        manifest=synthetic.manifest,
        weights=synthetic.weights,
    )
    files = [synthetic.store / row.file_name for row in synthetic.rows]
    view: dict[str, Any] = {"size": recipe.image_size, "micro_batch": micro_batch, "device": device}

    def features(split: str) -> Tensor:
        """Features of a split with the current state of the backbone."""
        if recipe.batch_norm == "training":
            return plain_features(backbone, images.paths[split], **view)
        photos = images.paths[split], images.hashes[split]
        return stored_features(backbone, settings.backbone, *photos, store=synthetic.store, **view)

    validation = None
    if images.validates(recipe.selection):
        of_val = partial(features, "val")
        if recipe.batch_norm == "training":
            of_val = repeatable_features(backbone, images.paths["val"], **view)
        validation = of_val, images.labels["val"]
    trained = train_head(
        backbone,
        decode_all([*images.paths["guide"], *files]),
        labels_of(images.class_names("guide") + classes, images.classes, synthetic.manifest or Path("shots.csv")),
        probabilities,
        images.classes,
        validation,
        recipe,
        seed_parts=(*cell, "downstream"),
        progress_label=f"train_downstream {settings.method}",
        checkpoint=checkpoint,
        micro_batch=micro_batch,
        device=device,
    )
    logits = {split: trained.head.logits(features(split)) for split in images.splits}
    metrics = metrics_of(settings.method, cell, settings.backbone, logits, images, best_epoch=trained.best_epoch)
    return Tested(trained, metrics, predictions_of(logits, images))
