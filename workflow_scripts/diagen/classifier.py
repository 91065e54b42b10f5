"""The classifiers: a new linear layer on a frozen backbone (sections 3.4 and 4).

The backbone is frozen, so an image's features don't depend on the state of the layer: each epoch first computes the
features of all its augmented draws, in micro-batches, and then takes its optimisation steps on them.
"""

import csv
import json
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import astuple, dataclass, field, fields
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.nn import functional

from diagen import batch_norm
from diagen.atomic import atomic_path
from diagen.augmentation import decode, evaluation
from diagen.backbones import Backbone, embed
from diagen.errors import InputError
from diagen.evaluation import balanced_loss_and_accuracy
from diagen.progress import progress
from diagen.recipe import Recipe
from diagen.sampling import draw_rows, drawing_probabilities
from diagen.seeds import stable_seed
from diagen.shots import ROLES, Shot
from diagen.views import epoch_views


@dataclass(frozen=True)
class Head:
    """A linear layer: `weight` `[C, D]` and `bias` `[C]`, float32; rows are in the order of `classes`.

    `statistics` are the running statistics of the backbone's BatchNorm that it was trained with; empty for its own.
    """

    weight: Tensor
    bias: Tensor
    classes: tuple[str, ...]
    statistics: dict[str, Tensor] = field(default_factory=dict)

    def logits(self, features: Tensor) -> Tensor:
        """Logits `[n, C]` of features `[n, D]`."""
        return functional.linear(features, self.weight, self.bias)


@dataclass(frozen=True)
class Epoch:
    """A row of the history. Loss (nats) and accuracy in [0, 1] on validation are means of the classes' means."""

    epoch: int
    train_loss: float
    val_loss: float
    val_accuracy: float


@dataclass(frozen=True)
class Trained:
    """The layer of the epoch that was kept, which epoch that was (from 1), and all epochs."""

    head: Head
    best_epoch: int
    history: tuple[Epoch, ...]


@dataclass(frozen=True)
class Cell:
    """The images of a cell by role: paths and labels (positions in `classes`, int64 `[n]`), in the order of its table.

    `guides` are the numbers of the guide images; `splits` are the roles with images other than `guide`.
    """

    classes: tuple[str, ...]
    paths: dict[str, list[str]]
    labels: dict[str, Tensor]
    guides: list[int]

    @property
    def splits(self) -> list[str]:
        """The splits to evaluate on."""
        return [role for role in self.paths if role != "guide"]

    def class_names(self, role: str) -> list[str]:
        """The class of each image of a role."""
        return [self.classes[label] for label in self.labels[role].tolist()]

    def features(self, backbone: Backbone, role: str, *, size: int, micro_batch: int, device: torch.device) -> Tensor:
        """Features `[n, D]` of the plain views of a role's images."""
        return plain_features(backbone, self.paths[role], size=size, micro_batch=micro_batch, device=device)


def read_cell(shots: Sequence[Shot], file: Path) -> Cell:
    """Arrange the rows of a cell's table `file`. Raises `InputError` without guide or validation images."""
    rows = {role: [row for row in shots if row.role == role] for role in ROLES}
    for role in ("guide", "val"):
        if not rows[role]:
            raise InputError(f"{file} has no {role} images: draw the shots again, with more images in train-val")
    classes = tuple(sorted({row.class_name for row in rows["guide"]}))
    return Cell(
        classes,
        {role: [row.path for row in found] for role, found in rows.items() if found},
        {role: labels_of([row.class_name for row in found], classes, file) for role, found in rows.items() if found},
        [row.guide for row in rows["guide"] if row.guide is not None],
    )


def decode_all(paths: Sequence[str | Path]) -> list[Tensor]:
    """All images as uint8 `[3, H, W]` in their original size, in the order of `paths`."""
    with ThreadPoolExecutor(torch.get_num_threads()) as pool:
        return list(pool.map(decode, paths))


def plain_features(
    backbone: Backbone, paths: Sequence[str | Path], *, size: int, micro_batch: int, device: torch.device
) -> Tensor:
    """Features `[n, D]` of the plain view of image files."""
    with ThreadPoolExecutor(torch.get_num_threads()) as pool:

        def prepare(batch: Sequence[str | Path]) -> Tensor:
            return evaluation(list(pool.map(decode, batch)), size)

        return embed(backbone, paths, prepare, micro_batch=micro_batch, device=device)


def labels_of(class_names: Iterable[str], classes: Sequence[str], file: Path) -> Tensor:
    """Positions in `classes`, int64 `[n]`. Raises `InputError` for a class that is not among them."""
    numbers = {name: number for number, name in enumerate(classes)}
    try:
        return torch.tensor([numbers[name] for name in class_names], dtype=torch.long)
    except KeyError as error:
        raise InputError(f"{file}: class {error} has no guide image to learn from; draw the shots again") from None


def new_head(classes: Sequence[str], width: int, seed: int) -> Head:
    """An untrained layer: uniform within 1/sqrt(D), as `torch.nn.Linear` starts."""
    generator = torch.Generator().manual_seed(seed)
    bound = width**-0.5
    weight = torch.empty(len(classes), width).uniform_(-bound, bound, generator=generator)
    bias = torch.empty(len(classes)).uniform_(-bound, bound, generator=generator)
    return Head(weight, bias, tuple(classes))


def validation_rows(labels: Tensor, recipe: Recipe, seed: int) -> Tensor:
    """Which validation images count, rows of `labels` `[n]`: each once, or class-balanced draws with replacement."""
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
    validation: tuple[Callable[[], Tensor], Tensor],
    recipe: Recipe,
    *,
    seed_parts: tuple[str | int, ...],
    micro_batch: int,
    device: torch.device,
    label: str = "training",
) -> Trained:
    """Train a linear layer on augmented draws of `images` (uint8 `[3, H, W]`), with `labels` `[n]`.

    `probabilities` `[n]` say how often each image is drawn, with replacement. `validation` holds a function that
    computes features `[m, D]` with the backbone as it then is, and labels `[m]`. `seed_parts` seed the layer, the draws
    and the augmentation. The layer of the best epoch is copied when it is reached, so that it is what the caller gets,
    whatever the later epochs do. With `batch_norm: training` the backbone is left with the statistics of that epoch.
    Raises `InputError` when the loss isn't a number, or when BatchNorm can't be in training mode.
    """
    generators = {
        name: torch.Generator().manual_seed(stable_seed(*seed_parts, name))
        for name in ("draws", "augmentation", "cutmix")
    }
    moving = recipe.batch_norm == "training"
    if moving and recipe.batch < 2:
        raise InputError("`batch_norm: training` needs the statistics of a batch: raise `batch` to 2 or more")
    val_features, val_labels = validation[0](), validation[1]
    head = new_head(classes, val_features.shape[1], stable_seed(*seed_parts, "layer"))
    parameters = [head.weight.requires_grad_(), head.bias.requires_grad_()]
    kind = torch.optim.Adam if recipe.decay == "l2" else torch.optim.AdamW
    optimiser = kind(parameters, lr=recipe.learning_rate, weight_decay=recipe.weight_decay)
    names = [classes[number] for number in labels.tolist()]
    history: list[Epoch] = []
    best_key, best_epoch = (float("inf"), float("inf")), 0
    for epoch in progress(range(1, recipe.epochs + 1), total=recipe.epochs, label=label, unit="epochs"):
        rows = draw_rows(probabilities, names, _uniforms(generators["draws"], recipe.draws))
        views, targets = epoch_views(images, labels, rows, len(classes), recipe, generators)
        with batch_norm.training_mode(backbone) if moving else nullcontext():
            features = embed(
                backbone,
                range(recipe.draws),
                views,
                micro_batch=recipe.batch if moving else micro_batch,
                device=device,
            )
        train_loss = 0.0
        for step in range(recipe.iterations):
            batch = slice(step * recipe.batch, (step + 1) * recipe.batch)
            optimiser.zero_grad()
            loss = functional.cross_entropy(head.logits(features[batch]), targets[batch])
            loss.backward()
            optimiser.step()
            train_loss += loss.item() / recipe.iterations
        if moving:
            val_features = validation[0]()
        chosen = validation_rows(val_labels, recipe, stable_seed(*seed_parts, "validation", epoch))
        with torch.no_grad():
            logits = head.logits(val_features)[chosen]
            val_loss, val_accuracy = balanced_loss_and_accuracy(logits, val_labels[chosen])
        history.append(Epoch(epoch, train_loss, val_loss, val_accuracy))
        key = (-val_accuracy, val_loss) if recipe.best == "accuracy" else (val_loss, 0.0)
        if key < best_key:
            best_key, best_epoch, best = key, epoch, _copy(head, backbone, recipe)
        if recipe.patience is not None and epoch - best_epoch >= recipe.patience:
            break
    if best_epoch == 0:
        raise InputError("the validation loss is not a number from the start: lower the learning rate")
    if recipe.kept_epoch == "last":
        best_epoch, best = len(history), _copy(head, backbone, recipe)
    if moving:
        batch_norm.load_statistics(backbone, best.statistics)
    return Trained(best, best_epoch, tuple(history))


def _uniforms(generator: torch.Generator, *shape: int) -> NDArray[np.float64]:
    return torch.rand(*shape, generator=generator, dtype=torch.float64).numpy()


def _copy(head: Head, backbone: Backbone, recipe: Recipe) -> Head:
    """The layer as it is now, with the backbone's statistics if these move."""
    statistics = batch_norm.running_statistics(backbone) if recipe.batch_norm == "training" else {}
    return Head(head.weight.detach().clone(), head.bias.detach().clone(), head.classes, statistics)


def write_head(head: Head, path: Path) -> None:
    """Write the layer as safetensors: `weight`, `bias`, any statistics, and the classes as JSON in the metadata."""
    with atomic_path(path) as temporary:
        save_file(
            {"weight": head.weight.contiguous(), "bias": head.bias.contiguous(), **head.statistics},
            temporary,
            metadata={"classes": json.dumps(head.classes)},
        )


def read_head(path: Path) -> Head:
    """Read a layer that `write_head` wrote."""
    tensors = load_file(path)
    with safe_open(path, framework="pt") as file:
        classes = tuple(json.loads(file.metadata()["classes"]))
    return Head(tensors.pop("weight"), tensors.pop("bias"), classes, tensors)


def write_history(history: Sequence[Epoch], path: Path) -> None:
    """Write the epochs as CSV."""
    with atomic_path(path) as temporary, open(temporary, "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([field.name for field in fields(Epoch)])
        writer.writerows(astuple(row) for row in history)
