"""Training of a linear layer on a frozen backbone (sections 3.4 and 4).

Since the backbone is frozen, features do not depend on the layer: each epoch first computes the features of all its
augmented draws, in micro-batches, and then takes its optimization steps on them. With `cached_views`, an epoch draws
from the features of a few views of each image, which are computed once.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from diagen.classifiers import batch_norm
from diagen.classifiers.evaluation import balanced_loss_and_accuracy
from diagen.classifiers.heads import Head, new_head
from diagen.classifiers.recipe import Recipe
from diagen.classifiers.trained_file import Epoch
from diagen.classifiers.training_state import Adam, TrainingState
from diagen.classifiers.views import epoch_views, place_images
from diagen.errors import InputError, Problem
from diagen.models.backbones import embed
from diagen.models.classifier_body import Backbone
from diagen.runtime.gpu_memory import REMEDY, explain_full_memory
from diagen.runtime.progress import progress
from diagen.seeds import stable_seed
from diagen.weighting.drawing import draw_rows, drawing_probabilities

CHECKPOINT_EVERY = 5  # epochs


@dataclass(frozen=True)
class Trained:
    """The layer of the kept epoch, the number of that epoch (from 1), and the history of all epochs."""

    head: Head
    best_epoch: int
    history: tuple[Epoch, ...]


def validation_rows(labels: Tensor, recipe: Recipe, seed: int) -> Tensor:
    """Rows of `labels` `[n]` to validate on: each once, or class-balanced draws with replacement."""
    if recipe.validation == "whole":
        return torch.arange(len(labels))
    names = [str(label) for label in labels.tolist()]
    balanced = drawing_probabilities(names, range(len(names)), [], [], None, 0.0)
    return torch.from_numpy(draw_rows(balanced, names, _uniforms(torch.Generator().manual_seed(seed), recipe.draws)))


def train_head(
    backbone: Backbone,
    images: Sequence[Tensor],
    labels: Tensor,
    probabilities: NDArray[np.float64],
    classes: Sequence[str],
    validation: tuple[Callable[[], Tensor], Tensor] | None,
    recipe: Recipe,
    *,
    seed_parts: tuple[str | int, ...],
    micro_batch: int,
    device: torch.device,
    progress_label: str = "training",
    checkpoint: Path | None = None,
) -> Trained:
    """Train a linear layer on augmented draws of `images` (uint8 `[3, H, W]`, CPU), with `labels` `[n]`.

    `probabilities` `[n]` are those of drawing each image, with replacement. `validation` is a function that computes
    features `[m, D]` with the current state of the backbone, and labels `[m]`; without it, all epochs run, the last one
    is kept, and the history has no validation values. `seed_parts` seed the layer, the draws and the augmentation. The
    result is a copy of the layer at the kept epoch, which later epochs do not change. With `batch_norm: training` the
    backbone ends with the statistics of that epoch. With a `checkpoint` path, the state is written there every
    `CHECKPOINT_EVERY` epochs, and an interrupted training resumes from it with the same result. Raises
    `InputError` when a loss is not finite, naming classes, epoch and step; when BatchNorm cannot be in training mode;
    or when the GPU has no room for a batch that cannot be halved.
    """
    updates_statistics = recipe.batch_norm == "training"
    if updates_statistics and recipe.batch < 2:
        raise InputError(
            f"`batch: {recipe.batch}` is too small for `batch_norm: training`, which uses the statistics of a batch. "
            "Set `batch` to 2 or more"
        )
    val_features = validation[0]() if validation else None
    width = _width(backbone, recipe.image_size, device) if val_features is None else val_features.shape[1]
    state = _start(classes, width, recipe, seed_parts, backbone if updates_statistics else None)
    if checkpoint:
        state.restore(checkpoint)
    names = [classes[number] for number in labels.tolist()]
    images = place_images(images, device)
    done, last = len(state.history), recipe.epochs
    cache = _cached_features(backbone, images, labels, recipe, seed_parts, micro_batch, device)
    epochs = range(done + 1, last + 1)
    for epoch in progress(epochs, total=last, done=done, progress_label=progress_label, unit="epochs"):
        rows = draw_rows(probabilities, names, _uniforms(state.generators["draws"], recipe.draws))
        if cache is None:
            views, targets = epoch_views(images, labels, rows, len(classes), recipe, state.generators, device)
            features = _train_features(backbone, views, recipe, micro_batch, device)
        else:
            chosen = torch.from_numpy(rows)
            numbers = torch.randint(cache.shape[1], rows.shape, generator=state.generators["augmentation"])
            features, targets = cache[chosen, numbers], labels[chosen]
        train_loss = 0.0
        for step in range(recipe.iterations):
            batch = slice(step * recipe.batch, (step + 1) * recipe.batch)
            state.optimizer.zero_grad()
            logits = state.head.logits(features[batch])
            loss = functional.cross_entropy(logits, targets[batch])
            if not loss.isfinite():
                where = Problem(f"{progress_label}, epoch {epoch}, step {step + 1}")
                raise _diverged(logits, targets[batch], [names[row] for row in rows[batch]], where)
            loss.backward()
            state.optimizer.step()
            train_loss += loss.item() / recipe.iterations
        if validation is None:
            state.history.append(Epoch(epoch, train_loss, None, None))
        else:
            if updates_statistics or val_features is None:
                val_features = validation[0]()
            seed = stable_seed(*seed_parts, "validation", epoch)
            where = Problem(f"{progress_label}, epoch {epoch}, validation")
            val_loss, val_accuracy = _validate(state.head, val_features, validation[1], recipe, seed, where)
            state.history.append(Epoch(epoch, train_loss, val_loss, val_accuracy))
            key = (-val_accuracy, val_loss) if recipe.best == "accuracy" else (val_loss, 0.0)
            if key < state.best_key:
                state.best_key, state.best_epoch, state.best = key, epoch, state.head_now()
            if recipe.patience is not None and epoch - state.best_epoch >= recipe.patience:
                break
        if checkpoint and epoch % CHECKPOINT_EVERY == 0 and epoch < last:
            state.save(checkpoint)
    if recipe.selection == "last" or validation is None:
        state.best_epoch, state.best = len(state.history), state.head_now()
    if updates_statistics:
        batch_norm.set_statistics(backbone, state.best.statistics)
    return Trained(state.best, state.best_epoch, tuple(state.history))


@torch.no_grad()
def _width(backbone: Backbone, image_size: int, device: torch.device) -> int:
    """The number of features of an image."""
    return backbone(torch.zeros(1, 3, image_size, image_size, device=device)).shape[1]


@torch.no_grad()
def _validate(
    head: Head, features: Tensor, labels: Tensor, recipe: Recipe, seed: int, where: Problem
) -> tuple[float, float]:
    """Loss and accuracy of the layer on validation images, by the recipe."""
    chosen = validation_rows(labels, recipe, seed)
    logits, truth = head.logits(features)[chosen], labels[chosen]
    loss, accuracy = balanced_loss_and_accuracy(logits, truth)
    if not (logits.isfinite().all() and math.isfinite(loss)):  # the mean over classes skips NaN
        raise _diverged(logits, truth, [head.classes[number] for number in truth.tolist()], where)
    return loss, accuracy


def _cached_features(
    backbone: Backbone,
    images: Sequence[Tensor],
    labels: Tensor,
    recipe: Recipe,
    seed_parts: tuple[str | int, ...],
    micro_batch: int,
    device: torch.device,
) -> Tensor | None:
    """Features `[n, V, D]` of the recipe's V cached views of each image; `None` without cached views.

    The draws have a generator of their own, so that a resumed training has the same views.
    """
    if recipe.cached_views is None:
        return None
    rows = np.repeat(np.arange(len(images)), recipe.cached_views)
    generator = torch.Generator().manual_seed(stable_seed(*seed_parts, "cached views"))
    views, _ = epoch_views(images, labels, rows, 0, recipe, {"augmentation": generator}, device)
    features = embed(backbone, range(len(rows)), views, micro_batch=micro_batch, device=device)
    return features.unflatten(0, (len(images), recipe.cached_views))


def _train_features(
    backbone: Backbone, views: Callable[[Sequence[int]], Tensor], recipe: Recipe, micro_batch: int, device: torch.device
) -> Tensor:
    """Features `[n, D]` of an epoch's draws from their `views`, in the recipe's batches if BatchNorm is in training."""
    draws = range(recipe.draws)
    if recipe.batch_norm == "frozen":
        return embed(backbone, draws, views, micro_batch=micro_batch, device=device)
    with (
        batch_norm.training_mode(backbone),
        explain_full_memory(
            f"a batch of {recipe.batch} images, which BatchNorm needs as a whole", f"lower `batch`, or {REMEDY}"
        ),
    ):
        return embed(backbone, draws, views, micro_batch=recipe.batch, device=device, halve=False)


def _start(
    classes: Sequence[str],
    width: int,
    recipe: Recipe,
    seed_parts: tuple[str | int, ...],
    batch_norm_model: Backbone | None,
) -> TrainingState:
    """The state of a training before its first epoch."""
    generators = {
        name: torch.Generator().manual_seed(stable_seed(*seed_parts, name))
        for name in ("draws", "augmentation", "cutmix")
    }
    head = new_head(classes, width, stable_seed(*seed_parts, "layer"))
    parameters = [head.weight.requires_grad_(), head.bias.requires_grad_()]
    optimizer = Adam(parameters, recipe.learning_rate, recipe.weight_decay, decoupled=recipe.decay == "decoupled")
    return TrainingState(head, optimizer, generators, batch_norm_model, best=head)


@torch.no_grad()
def _diverged(logits: Tensor, targets: Tensor, names: Sequence[str], where: str) -> InputError:
    """The error that lists the classes whose loss is not finite; `names` holds the class of each image."""
    finite = functional.cross_entropy(logits, targets, reduction="none").isfinite().tolist()
    bad = sorted({name for name, good in zip(names, finite, strict=True) if not good})
    return InputError(
        f"{where}: the loss of {', '.join(bad)} is not finite. Lower the `learning_rate` of this classifier"
    )


def _uniforms(generator: torch.Generator, *shape: int) -> NDArray[np.float64]:
    return torch.rand(*shape, generator=generator, dtype=torch.float64).numpy()
