"""The published code's options against its plain loop: train mode, step, eval mode, next epoch."""

import copy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from diagen.classifiers import batch_norm
from diagen.classifiers.augmentation import AUGMENTATIONS
from diagen.classifiers.heads import new_head
from diagen.classifiers.linear_probe import Trained, train_head, validation_rows
from diagen.classifiers.recipe import Recipe
from diagen.classifiers.trained_file import read_head, write_head
from diagen.config.models import BackboneModel
from diagen.errors import InputError
from diagen.models.backbones import load_backbone
from diagen.models.classifier_body import Backbone
from diagen.seeds import stable_seed
from diagen.weighting.drawing import draw_rows

CPU = torch.device("cpu")
CLASSES = ("boat", "car")
PARTS = ("world", 0, 2, "guide")
PAPER = Recipe(3, 4, 4, 0.02, 0.5, "standard_no_crop", 32, "loss")
GENERATOR = torch.Generator().manual_seed(3)
IMAGES = [torch.randint(0, 256, (3, 32, 32), generator=GENERATOR, dtype=torch.uint8) for _ in range(6)]
LABELS = torch.tensor([0, 0, 0, 1, 1, 1])
VALIDATION = torch.rand(7, 3, 32, 32, generator=GENERATOR) * 2 - 1
VALIDATION_LABELS = torch.tensor([0, 0, 0, 0, 0, 1, 1])


@pytest.fixture
def backbone(stand_ins: Path) -> Backbone:
    return load_backbone(BackboneModel(path=str(stand_ins / "resnet")), CPU, batch_norm="training")


def train(backbone: Backbone, plan: Recipe) -> Trained:
    def features() -> torch.Tensor:
        with torch.no_grad():
            return backbone(VALIDATION)

    return train_head(
        backbone, IMAGES, LABELS, np.full(6, 1 / 6), CLASSES, (features, VALIDATION_LABELS), plan,
        seed_parts=PARTS, micro_batch=3, device=CPU,
    )  # fmt: skip


def interleaved(backbone: Backbone, plan: Recipe, optimizer_type: type) -> list[tuple[nn.Linear, Backbone, float]]:
    """Layer, backbone and validation loss after each epoch of a plain loop with `model.train()` and `model.eval()`."""
    model = copy.deepcopy(backbone)
    width = backbone(VALIDATION).shape[1]
    start = new_head(CLASSES, width, stable_seed(*PARTS, "layer"))
    layer = nn.Linear(width, 2)
    layer.load_state_dict({"weight": start.weight, "bias": start.bias})
    optimizer = optimizer_type(layer.parameters(), plan.learning_rate, weight_decay=plan.weight_decay)
    streams = [torch.Generator().manual_seed(stable_seed(*PARTS, name)) for name in ("draws", "augmentation")]
    augmentation = AUGMENTATIONS[plan.augmentation]
    names = [CLASSES[label] for label in LABELS]
    results = []
    for _ in range(plan.epochs):
        count = plan.iterations * plan.batch
        uniforms = torch.rand(count, generator=streams[0], dtype=torch.float64).numpy()
        rows = draw_rows(np.full(6, 1 / 6), names, uniforms)
        draws = torch.rand(count, augmentation.draws, generator=streams[1])
        for first in range(0, count, plan.batch):
            part = slice(first, first + plan.batch)
            model.train(plan.batch_norm == "training")
            features = model(augmentation.apply([IMAGES[row] for row in rows[part]], draws[part], 32))
            optimizer.zero_grad()
            functional.cross_entropy(layer(features), LABELS[rows[part]]).backward()
            optimizer.step()
        model.eval()
        with torch.no_grad():
            losses = functional.cross_entropy(layer(model(VALIDATION)), VALIDATION_LABELS, reduction="none")
        loss = np.mean([losses[VALIDATION_LABELS == label].mean().item() for label in (0, 1)])
        results.append((copy.deepcopy(layer), copy.deepcopy(model), loss))
    return results


@pytest.mark.parametrize("kept", ["best", "last"])
def test_batch_norm_in_training_mode(backbone: Backbone, kept: str) -> None:
    plan = replace(PAPER, batch_norm="training", selection=kept, epochs=4)
    expected = interleaved(backbone, plan, torch.optim.Adam)
    before = batch_norm.running_statistics(backbone)
    trained = train(backbone, plan)
    losses = [loss for *_, loss in expected]
    assert [epoch.val_loss for epoch in trained.history] == pytest.approx(losses, rel=1e-4)
    epoch = len(losses) if kept == "last" else 1 + losses.index(min(losses))
    assert trained.best_epoch == epoch
    layer, model, _ = expected[epoch - 1]
    torch.testing.assert_close(trained.head.weight, layer.weight.detach(), rtol=1e-3, atol=1e-5)
    for name, values in batch_norm.running_statistics(model).items():
        torch.testing.assert_close(trained.head.statistics[name], values, rtol=1e-4, atol=1e-5)
        assert not torch.equal(values, before[name]), "they are overwritten"
    assert not backbone.training and not any(layer.training for layer in batch_norm.layers(backbone).values())
    with torch.no_grad():
        torch.testing.assert_close(backbone(VALIDATION), model(VALIDATION), rtol=1e-3, atol=1e-4)


def test_backbone_is_unchanged_by_default(backbone: Backbone) -> None:
    before = batch_norm.running_statistics(backbone)
    trained = train(backbone, PAPER)
    assert all(torch.equal(values, before[name]) for name, values in batch_norm.running_statistics(backbone).items())
    assert trained.head.statistics == {}


def test_last_epoch_is_kept_even_if_an_earlier_one_is_better(backbone: Backbone) -> None:
    plan = replace(PAPER, learning_rate=1.0, epochs=5, patience=2)
    best, last = train(backbone, plan), train(backbone, replace(plan, selection="last"))
    assert best.history == last.history, "early stopping uses the best epoch in both cases"
    assert last.best_epoch == len(last.history) > best.best_epoch
    layer, *_ = interleaved(backbone, plan, torch.optim.Adam)[last.best_epoch - 1]
    torch.testing.assert_close(last.head.weight, layer.weight.detach(), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(("decay", "optimizer"), [("l2", torch.optim.Adam), ("decoupled", torch.optim.AdamW)])
def test_weight_decay_equals_torchs_optimizers(backbone: Backbone, decay: str, optimizer: type) -> None:
    plan = replace(PAPER, decay=decay, selection="last")
    layer, *_ = interleaved(backbone, plan, optimizer)[-1]
    torch.testing.assert_close(train(backbone, plan).head.weight, layer.weight.detach(), rtol=1e-4, atol=1e-5)


def test_resampled_validation_is_balanced_and_redrawn_each_epoch(backbone: Backbone) -> None:
    plan = replace(PAPER, validation="resampled", iterations=1000, epochs=2)
    rows = validation_rows(VALIDATION_LABELS, plan, 5)
    assert len(rows) == plan.iterations * plan.batch
    counts = torch.bincount(rows, minlength=7).double() / len(rows)
    assert counts.tolist() == pytest.approx([1 / 10] * 5 + [1 / 4] * 2, abs=0.02)
    assert torch.equal(rows, validation_rows(VALIDATION_LABELS, plan, 5))
    assert validation_rows(VALIDATION_LABELS, PAPER, 5).tolist() == list(range(7))

    few = replace(PAPER, validation="resampled", learning_rate=1e-12, iterations=1)
    losses = [epoch.val_loss for epoch in train(backbone, few).history]
    assert len(set(losses)) == few.epochs, "the layer hardly moves: the draws differ"
    whole = [epoch.val_loss for epoch in train(backbone, replace(few, validation="whole")).history]
    assert max(whole) - min(whole) < 1e-6


def test_statistics_round_trip_and_are_rejected_by_another_backbone(backbone: Backbone, tmp_path: Path) -> None:
    plain = batch_norm.running_statistics(backbone)
    trained = train(backbone, replace(PAPER, batch_norm="training"))
    write_head(trained.head, tmp_path / "head.safetensors")
    again = read_head(tmp_path / "head.safetensors")
    assert again.classes == CLASSES and again.statistics.keys() == plain.keys()
    batch_norm.set_statistics(backbone, plain)
    batch_norm.load_statistics(backbone, again.statistics, tmp_path / "head.safetensors")
    found = batch_norm.running_statistics(backbone)
    assert all(torch.equal(found[name], values) for name, values in trained.head.statistics.items())
    file = tmp_path / "head.safetensors"
    with pytest.raises(
        InputError, match=r"head.safetensors: .* of another backbone. .* run Snakemake again: rm /.*head"
    ):
        batch_norm.load_statistics(nn.Sequential(nn.BatchNorm2d(3)), again.statistics, file)


def test_training_mode_needs_batch_norm_and_a_batch(backbone: Backbone) -> None:
    with pytest.raises(InputError, match=r"the backbone has no BatchNorm layers\. Set `batch_norm: frozen`"):
        batch_norm.layers(nn.Sequential(nn.Linear(2, 2), nn.LayerNorm(2)))
    with pytest.raises(InputError, match=r"`batch: 1` is too small for `batch_norm: training`.* Set `batch` to 2"):
        train(backbone, replace(PAPER, batch_norm="training", batch=1))
