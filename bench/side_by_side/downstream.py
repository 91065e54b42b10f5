"""Downstream classifiers of a cell, beside a training loop in the manner of the published scripts.

The plain loop decodes a file and augments it for every draw, an image at a time; each epoch, it computes the features
of as many validation images as it draws training images. It draws the same images and views as the library. To choose
the same epoch, its validation draws contain each validation image equally often.
"""

import copy
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader, Dataset

from bench.side_by_side.material import BACKBONE, CELL, CPU, MICRO_BATCH, Photo, Workplace, photos
from bench.side_by_side.measure import Stage
from bench.side_by_side.plain_views import DRAWS, augmented_view, plain_view, read
from bench.side_by_side.weights import manifest, plain_classifier
from diagen.classifiers.cell_images import CellImages, arrange
from diagen.classifiers.heads import new_head
from diagen.config import Downstream
from diagen.config.programs import TrainDownstreamSettings
from diagen.data.shots_file import Shot
from diagen.downstream.training import Synthetic, train_downstream
from diagen.files.store_layout import FEATURES
from diagen.models.backbones import load_backbone
from diagen.seeds import stable_seed

METHODS = 7
Tests = list[list[tuple[str, float]]]
"""For each method and test image: the predicted class and its probability."""
Probabilities = list[NDArray[np.float32]]
"""For each method: the probability of each class for each test image, `[n, C]`."""


@dataclass(frozen=True)
class Training:
    """The training images of a method: files, labels and drawing probabilities, in the order of the classes."""

    paths: list[Path]
    labels: list[int]
    probabilities: list[float]


class Drawn(Dataset):
    """Images that are read when they are drawn: augmented by their random numbers, or plain without any."""

    def __init__(self, paths: Sequence[Path | str], labels: Sequence[int], draws: Tensor | None, size: int) -> None:
        """Name the file and the label of each draw."""
        self.paths, self.labels, self.draws, self.size = paths, labels, draws, size

    def __len__(self) -> int:
        """Return the number of draws."""
        return len(self.paths)

    def __getitem__(self, number: int) -> tuple[Tensor, int]:
        """Read a draw."""
        image = read(self.paths[number])
        view = (
            plain_view(image, self.size) if self.draws is None else augmented_view(image, self.draws[number], self.size)
        )
        return view, self.labels[number]


def draw(training: Training, uniforms: Tensor) -> list[int]:
    """The image of each uniform number, by the cumulative probabilities of the images."""
    cumulative = np.cumsum(training.probabilities)
    return np.searchsorted(cumulative, uniforms.numpy() * cumulative[-1], side="right").tolist()


def train(model: nn.Module, training: Training, cell: CellImages, settings: Downstream) -> NDArray[np.float32]:
    """Train the last layer of `model`, and return the test images' probabilities `[n, C]` at the best epoch."""
    size, count = settings.image_size, settings.iterations * settings.batch
    model.classifier.requires_grad_(True)
    optimizer = torch.optim.Adam(model.classifier.parameters(), lr=settings.learning_rate)
    seeds = (*CELL, "downstream")
    generators = {name: torch.Generator().manual_seed(stable_seed(*seeds, name)) for name in ("draws", "augmentation")}
    val_paths, val_labels = cell.paths["val"], cell.labels["val"].tolist()
    again = count // len(val_paths)
    best, kept = (-1.0, 0.0), model.state_dict()
    for _ in range(settings.epochs):
        rows = draw(training, torch.rand(count, generator=generators["draws"], dtype=torch.float64))
        views = torch.rand(count, DRAWS, generator=generators["augmentation"])
        drawn = Drawn([training.paths[row] for row in rows], [training.labels[row] for row in rows], views, size)
        for images, labels in DataLoader(drawn, settings.batch):
            loss = functional.cross_entropy(model(images).logits, labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        logits, labels = evaluate(model, Drawn(val_paths * again, val_labels * again, None, size), settings.batch)
        accuracy, loss = balanced(logits, labels)
        if (accuracy, -loss) > best:
            best, kept = (accuracy, -loss), copy.deepcopy(model.state_dict())
    model.load_state_dict(kept)
    tests = Drawn(cell.paths["test"], cell.labels["test"].tolist(), None, size)
    return evaluate(model, tests, settings.batch)[0].softmax(1).numpy()


@torch.no_grad()
def evaluate(model: nn.Module, images: Drawn, batch: int) -> tuple[Tensor, Tensor]:
    """Logits `[n, C]` and labels `[n]`."""
    found = [(model(pixels).logits, labels) for pixels, labels in DataLoader(images, batch)]
    return torch.cat([logits for logits, _ in found]), torch.cat([labels for _, labels in found])


def balanced(logits: Tensor, labels: Tensor) -> tuple[float, float]:
    """Accuracy and cross-entropy, each the mean of the classes' means."""
    right, losses = (logits.argmax(1) == labels).double(), functional.cross_entropy(logits, labels, reduction="none")
    means = [(right[labels == label].mean(), losses[labels == label].double().mean()) for label in labels.unique()]
    return float(np.mean([one for one, _ in means])), float(np.mean([other for _, other in means]))


def stage(place: Workplace) -> Stage:
    """Images of the demo's size, 64 pixels."""
    return _stage(place, "downstream cell", 64, epochs=place.size(2, 1), iterations=place.size(20, 2))


def cached_views(place: Workplace) -> Stage:
    """The same with the option `cached_views`, which draws other views, so that results agree on average only."""
    sizes = {"epochs": place.size(2, 1), "iterations": place.size(20, 2)}
    return _stage(place, "downstream cell, 12 cached views", 64, **sizes, views=12)


def large_images(place: Workplace) -> Stage:
    """Images of 512 pixels, as Stable Diffusion makes them, which are trained on at 256 pixels as in the paper."""
    side, iterations = place.size(512, 80), place.size(3, 2)
    return _stage(place, "downstream cell, 256 pixels", side, epochs=1, iterations=iterations)


def _stage(place: Workplace, name: str, side: int, *, epochs: int, iterations: int, views: int | None = None) -> Stage:
    classes, shots, per_guide = place.size(4, 2), 1, 3
    folder, store = place.new_folder(), place.new_folder()
    rows = manifest(store, classes, shots, per_guide, side)
    train_val = photos(folder, classes, shots + 4, side=side)
    tests = photos(folder, classes, 4, split="test", side=side)
    cell = arrange([*_shots(train_val, shots), *(_shot("test", one) for one in tests)], Path("shots.csv"))
    settings = Downstream(
        epochs=epochs, iterations=iterations, learning_rate=1e-3, image_size=min(side, 256), cached_views=views
    )
    backbone = load_backbone(BACKBONE, CPU)
    with torch.no_grad():
        width = backbone(torch.zeros(1, 3, 64, 64)).shape[1]
    # The first method has real images only; the others differ in the weights of their synthetic images.
    shares = [_shares(len(rows), per_guide, seed) for seed in range(METHODS)]
    probability = [0.0, *np.linspace(0.4, 0.9, METHODS - 1).tolist()]
    trainings = [_training(cell, rows, store, shares[n], probability[n], shots) for n in range(METHODS)]

    def plain() -> Probabilities:
        head = new_head(cell.classes, width, stable_seed(*CELL, "downstream", "layer"))
        return [train(plain_classifier(head), training, cell, settings) for training in trainings]

    def ours() -> Tests:
        shutil.rmtree(store / FEATURES, ignore_errors=True)  # each repeat is a new cell
        tested = []
        for number in range(METHODS):
            synthetic = Synthetic(rows, shares[number], store) if number else Synthetic([], None, store)
            program = TrainDownstreamSettings(
                method=str(number),
                downstream=settings,
                backbone=BACKBONE,
                synthetic_probability=probability[number],
            )
            found = train_downstream(backbone, cell, synthetic, program, CELL, micro_batch=MICRO_BATCH, device=CPU)
            tested.append([(one.predicted, one.probability) for one in found.predictions if one.split == "test"])
        return tested

    @torch.no_grad()
    def floor() -> None:
        images = torch.zeros(MICRO_BATCH, 3, settings.image_size, settings.image_size)
        for _ in range(METHODS * epochs * iterations * settings.batch // MICRO_BATCH):
            backbone(images)

    def difference(one: Probabilities, other: Tests) -> float:
        differences = [
            abs(float(probabilities[row, cell.classes.index(predicted)]) - probability)
            for probabilities, tested in zip(one, other, strict=True)
            for row, (predicted, probability) in enumerate(tested)
        ]
        return float(np.mean(differences)) if views else max(differences)

    return Stage(
        name=name,
        work=f"{METHODS} methods, {epochs * iterations * settings.batch} draws each",
        plain=plain,
        ours=ours,
        floor=floor,
        difference=difference,
        tolerance=0.05 if views else 0.01,
        unit="of a probability, on average" if views else "of a probability",
    )


def _shots(train_val: Sequence[Photo], shots: int) -> list[Shot]:
    """The first photos of each class are guide images, the others validation images."""
    rows = []
    for name in sorted({photo.class_name for photo in train_val}):
        found = [photo for photo in train_val if photo.class_name == name]
        rows += [_shot("guide", photo, number) for number, photo in enumerate(found[:shots])]
        rows += [_shot("val", photo) for photo in found[shots:]]
    return rows


def _shot(role: str, photo: Photo, guide: int | None = None) -> Shot:
    return Shot(role, photo.class_name, guide, str(photo.path), photo.sha256)


def _shares(count: int, per_guide: int, seed: int) -> list[float]:
    """Random weights of synthetic images that sum to 1 over those of each guide image."""
    weights = np.random.RandomState(seed).rand(count // per_guide, per_guide)
    return (weights / weights.sum(1, keepdims=True)).ravel().tolist()


def _training(
    cell: CellImages, rows: Sequence, store: Path, shares: Sequence[float], probability: float, shots: int
) -> Training:
    """The training images of a method with the probabilities of equation 2, class by class, real images first."""
    found = []
    per_guide = 1 / (len(cell.classes) * shots)
    for path, label in zip(cell.paths["guide"], cell.labels["guide"].tolist(), strict=True):
        found.append((label, len(found), Path(path), (1 - probability) * per_guide))
    for row, share in zip(rows, shares, strict=True):
        label = cell.classes.index(row.class_name)
        found.append((label, len(found), store / row.file_name, probability * per_guide * share))
    found = sorted(one for one in found if one[3] > 0)
    return Training([one[2] for one in found], [one[0] for one in found], [one[3] for one in found])
