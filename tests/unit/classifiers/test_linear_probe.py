"""Training of the linear layer: compared with plain torch step by step; best epoch; determinism."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional

from diagen.classifiers import linear_probe
from diagen.classifiers.augmentation import AUGMENTATIONS
from diagen.classifiers.cell_images import arrange
from diagen.classifiers.heads import Head, new_head
from diagen.classifiers.linear_probe import Trained, train_head
from diagen.classifiers.recipe import Recipe
from diagen.classifiers.trained_file import Epoch, read_head, write_head
from diagen.config.models import BackboneModel
from diagen.data.shots_file import Shot
from diagen.errors import InputError
from diagen.models.backbones import load_backbone
from diagen.models.classifier_body import Backbone
from diagen.seeds import stable_seed
from diagen.weighting.drawing import draw_rows

CPU = torch.device("cpu")
CLASSES = ("boat", "red_car")


@pytest.fixture(scope="module")
def backbone(stand_ins: Path) -> Backbone:
    return load_backbone(BackboneModel(path=str(stand_ins / "resnet")), CPU)


def recipe(**changes: object) -> Recipe:
    values = {
        "epochs": 3,
        "iterations": 4,
        "batch": 4,
        "learning_rate": 0.01,
        "weight_decay": 0.01,
        "augmentation": "standard",
        "image_size": 32,
        "best": "accuracy",
    }
    return Recipe(**(values | changes))


def random_task(width: int) -> tuple[list[torch.Tensor], torch.Tensor, np.ndarray, tuple[torch.Tensor, torch.Tensor]]:
    generator = torch.Generator().manual_seed(1)
    images = [torch.randint(0, 256, (3, 36, 40), generator=generator, dtype=torch.uint8) for _ in range(6)]
    labels = torch.tensor([0, 0, 0, 1, 1, 1])
    validation = (torch.randn(9, width, generator=generator), torch.randint(2, (9,), generator=generator))
    return images, labels, np.full(6, 1 / 6), validation


def width_of(backbone: Backbone) -> int:
    return backbone(torch.zeros(1, 3, 32, 32)).shape[1]


def train(backbone: Backbone, plan: Recipe, micro_batch: int = 4) -> Trained:
    images, labels, probabilities, (features, targets) = random_task(width_of(backbone))
    return train_head(
        backbone, images, labels, probabilities, CLASSES, (lambda: features, targets), plan,
        seed_parts=("world", 0, 2, "downstream"), micro_batch=micro_batch, device=CPU,
    )  # fmt: skip


def plain_epochs(backbone: Backbone, plan: Recipe) -> list[tuple[torch.Tensor, Epoch]]:
    """The same training with `torch.nn.Linear` in a plain loop: the weight and the metrics after each epoch."""
    images, labels, probabilities, (features, targets) = random_task(width_of(backbone))
    parts = ("world", 0, 2, "downstream")
    start = new_head(CLASSES, width_of(backbone), stable_seed(*parts, "layer"))
    layer = torch.nn.Linear(width_of(backbone), 2)
    layer.load_state_dict({"weight": start.weight, "bias": start.bias})
    optimizer = torch.optim.Adam(layer.parameters(), plan.learning_rate, weight_decay=plan.weight_decay)
    uniforms = torch.Generator().manual_seed(stable_seed(*parts, "draws"))
    views = torch.Generator().manual_seed(stable_seed(*parts, "augmentation"))
    augmentation = AUGMENTATIONS[plan.augmentation]
    names = [CLASSES[label] for label in labels]
    epochs = []
    for epoch in range(1, plan.epochs + 1):
        count = plan.iterations * plan.batch
        rows = draw_rows(probabilities, names, torch.rand(count, generator=uniforms, dtype=torch.float64).numpy())
        draws = torch.rand(count, augmentation.draws, generator=views)
        losses = []
        for step in range(plan.iterations):
            part = range(step * plan.batch, (step + 1) * plan.batch)
            pixels = augmentation.apply([images[rows[i]] for i in part], draws[part.start : part.stop], plan.image_size)
            loss = functional.cross_entropy(layer(backbone(pixels)), labels[rows[part.start : part.stop]])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        logits = layer(features).detach()
        per_class = [targets == 0, targets == 1]
        loss = np.mean([functional.cross_entropy(logits[one], targets[one]).item() for one in per_class])
        accuracy = np.mean([(logits[one].argmax(1) == targets[one]).double().mean().item() for one in per_class])
        epochs.append((layer.weight.detach().clone(), Epoch(epoch, float(np.mean(losses)), loss, accuracy)))
    return epochs


@pytest.mark.parametrize("augmentation", ["standard", "randaugment"])
@pytest.mark.parametrize("best", ["accuracy", "loss"])
def test_training_against_plain_torch(backbone: Backbone, augmentation: str, best: str) -> None:
    plan = recipe(augmentation=augmentation, best=best, epochs=4)
    trained = train(backbone, plan, micro_batch=5)
    epochs = plain_epochs(backbone, plan)
    for (_, expected), found in zip(epochs, trained.history, strict=True):
        assert found.epoch == expected.epoch and found.val_accuracy == pytest.approx(expected.val_accuracy)
        assert found.train_loss == pytest.approx(expected.train_loss, rel=1e-4)
        assert found.val_loss == pytest.approx(expected.val_loss, rel=1e-4)
    keys = [(-e.val_accuracy, e.val_loss) if best == "accuracy" else (e.val_loss,) for _, e in epochs]
    assert trained.best_epoch == 1 + keys.index(min(keys))
    torch.testing.assert_close(trained.head.weight, epochs[trained.best_epoch - 1][0], rtol=1e-4, atol=1e-5)


def plain_cached_epochs(backbone: Backbone, plan: Recipe) -> list[tuple[torch.Tensor, float]]:
    """Training on cached views in a plain loop, one view at a time: weight and training loss after each epoch."""
    images, labels, probabilities, _ = random_task(width_of(backbone))
    parts = ("world", 0, 2, "downstream")
    start = new_head(CLASSES, width_of(backbone), stable_seed(*parts, "layer"))
    layer = torch.nn.Linear(width_of(backbone), 2)
    layer.load_state_dict({"weight": start.weight, "bias": start.bias})
    optimizer = torch.optim.Adam(layer.parameters(), plan.learning_rate, weight_decay=plan.weight_decay)
    streams = {
        name: torch.Generator().manual_seed(stable_seed(*parts, name))
        for name in ("draws", "augmentation", "cached views")
    }
    augmentation = AUGMENTATIONS[plan.augmentation]
    draws = torch.rand(len(images) * plan.cached_views, augmentation.draws, generator=streams["cached views"])
    views = [
        [
            backbone(augmentation.apply([image], draws[[number * plan.cached_views + view]], plan.image_size))
            for view in range(plan.cached_views)
        ]
        for number, image in enumerate(images)
    ]
    names = [CLASSES[label] for label in labels]
    epochs = []
    for _ in range(plan.epochs):
        count = plan.iterations * plan.batch
        uniforms = torch.rand(count, generator=streams["draws"], dtype=torch.float64).numpy()
        rows = draw_rows(probabilities, names, uniforms)
        chosen = torch.randint(plan.cached_views, (count,), generator=streams["augmentation"])
        losses = []
        for first in range(0, count, plan.batch):
            part = range(first, first + plan.batch)
            features = torch.cat([views[rows[place]][chosen[place]] for place in part])
            loss = functional.cross_entropy(layer(features), labels[rows[part.start : part.stop]])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        epochs.append((layer.weight.detach().clone(), float(np.mean(losses))))
    return epochs


@pytest.mark.parametrize("augmentation", ["standard", "standard_no_crop", "randaugment"])
def test_cached_views_against_a_plain_loop(backbone: Backbone, augmentation: str) -> None:
    plan = recipe(augmentation=augmentation, cached_views=3, epochs=5)
    trained = train(backbone, plan)
    epochs = plain_cached_epochs(backbone, plan)
    assert [epoch.train_loss for epoch in trained.history] == pytest.approx([loss for _, loss in epochs], rel=1e-4)
    torch.testing.assert_close(trained.head.weight, epochs[trained.best_epoch - 1][0], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("epochs", [1, 6])
def test_cached_views_pass_the_backbone_once(backbone: Backbone, epochs: int) -> None:
    plan, seen = recipe(cached_views=5, epochs=epochs), []
    with backbone.register_forward_hook(lambda module, inputs, output: seen.append(len(output))):
        train(backbone, plan, micro_batch=6)
        assert sum(seen) == 1 + 6 * 5, "one image by `width_of`, and five views of six images"


def test_a_resumed_training_has_the_same_cached_views(
    backbone: Backbone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(linear_probe, "CHECKPOINT_EVERY", 1)
    images, labels, probabilities, (features, targets) = random_task(width_of(backbone))

    def run(checkpoint: Path | None) -> Trained:
        return train_head(
            backbone, images, labels, probabilities, CLASSES, (lambda: features, targets),
            recipe(cached_views=4, epochs=5), seed_parts=("world", 0), micro_batch=4, device=CPU, checkpoint=checkpoint,
        )  # fmt: skip

    whole, evaluate, started = run(None), linear_probe.balanced_loss_and_accuracy, []

    def interrupted(*arguments: torch.Tensor) -> tuple[float, float]:
        started.append(1)
        if len(started) == 4:
            raise KeyboardInterrupt
        return evaluate(*arguments)

    monkeypatch.setattr(linear_probe, "balanced_loss_and_accuracy", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "state.safetensors")
    resumed = run(tmp_path / "state.safetensors")
    assert len(started) == 4 + 2, "two epochs were left"
    assert torch.equal(resumed.head.weight, whole.head.weight) and resumed.history == whole.history


def test_best_epoch_is_a_copy(backbone: Backbone, monkeypatch: pytest.MonkeyPatch) -> None:
    """The result is a copy of the best epoch's layer, not the layer of the last epoch."""
    metrics = iter([(0.5, 0.9), (0.5, 0.9), (0.4, 0.9), (9.0, 0.1)])
    monkeypatch.setattr(linear_probe, "balanced_loss_and_accuracy", lambda *_: next(metrics))
    trained = train(backbone, recipe(epochs=4))
    assert trained.best_epoch == 3, "equal accuracy: the lower loss decides; all equal: the earlier epoch"
    after_three = plain_epochs(backbone, recipe(epochs=4))[2][0]
    torch.testing.assert_close(trained.head.weight, after_three, rtol=1e-4, atol=1e-5)
    assert not trained.head.weight.requires_grad


def test_patience(backbone: Backbone, monkeypatch: pytest.MonkeyPatch) -> None:
    losses = iter([1.0, 0.8, 0.9, 0.8, 0.85, 0.1])
    monkeypatch.setattr(linear_probe, "balanced_loss_and_accuracy", lambda *_: (next(losses), 0.5))
    trained = train(backbone, recipe(epochs=6, best="loss", patience=3))
    assert trained.best_epoch == 2 and len(trained.history) == 5


def test_same_seed_same_bits(backbone: Backbone) -> None:
    state = torch.get_rng_state()
    first, second = train(backbone, recipe()), train(backbone, recipe())
    assert torch.equal(first.head.weight, second.head.weight) and first.history == second.history
    assert torch.equal(state, torch.get_rng_state())
    other = train(backbone, recipe(), micro_batch=16)
    torch.testing.assert_close(first.head.weight, other.head.weight, rtol=1e-3, atol=1e-4)


def test_head_round_trips(tmp_path: Path) -> None:
    head = new_head(["b", "a", "c"], 7, 3)
    assert head.weight.abs().max() <= 7**-0.5 and head.weight.std() > 0.1
    write_head(head, tmp_path / "head.safetensors")
    again = read_head(tmp_path / "head.safetensors")
    assert again.classes == ("b", "a", "c") and torch.equal(again.weight, head.weight)
    assert torch.equal(again.logits(torch.ones(2, 7)), torch.nn.functional.linear(torch.ones(2, 7), *head_parts(head)))


def head_parts(head: Head) -> tuple[torch.Tensor, torch.Tensor]:
    return head.weight, head.bias


def test_cells_without_validation_or_guide_images_are_rejected(tmp_path: Path) -> None:
    guide = Shot("guide", "car", 0, "a.png", "")
    with pytest.raises(InputError, match="shots.csv: no guide images"):
        arrange([Shot("val", "tree", None, "b.png", "")], tmp_path / "shots.csv")
    alone = arrange([guide], tmp_path / "shots.csv")
    with pytest.raises(InputError, match="shots.csv: no val images.* or set `selection: last`"):
        alone.validates("best")
    assert not alone.validates("last")
    with pytest.raises(InputError, match="class 'tree' has no guide image"):
        arrange([guide, Shot("val", "tree", None, "b.png", "")], tmp_path / "shots.csv")


def test_validation_of_some_classes_is_no_validation_of_the_last_epoch() -> None:
    guides = [Shot("guide", name, 0, f"{name}.png", "") for name in ("car", "tree")]
    validating = [Shot("val", name, None, f"{name}-val.png", "") for name in ("car", "tree")]
    some, all_classes = (arrange([*guides, *validating[:n]], Path("shots.csv")) for n in (1, 2))
    assert [some.validates("best"), some.validates("last")] == [True, False]
    assert [all_classes.validates("best"), all_classes.validates("last")] == [True, True]


@pytest.mark.parametrize("batch_norm", ["frozen", "training"])
def test_without_validation_all_epochs_run_and_the_last_is_kept(
    batch_norm: str, stand_ins: Path, tmp_path: Path
) -> None:
    """The same layer as with validation images and `selection: last`, also when resumed."""
    plan = recipe(epochs=7, selection="last", patience=2, batch_norm=batch_norm)
    source = BackboneModel(path=str(stand_ins / "resnet"))
    images, labels, probabilities, (features, targets) = random_task(width_of(load_backbone(source, CPU)))

    def trained(validation: object, plan: Recipe, checkpoint: Path | None = None) -> Trained:
        return train_head(
            load_backbone(source, CPU, batch_norm=batch_norm), images, labels, probabilities, CLASSES, validation, plan,
            seed_parts=("world", 0), micro_batch=4, device=CPU, checkpoint=checkpoint,
        )  # fmt: skip

    found = trained(None, plan, tmp_path / "state")
    assert found.best_epoch == len(found.history) == 7
    assert all(epoch.val_loss is epoch.val_accuracy is None for epoch in found.history)
    expected = trained((lambda: features, targets), replace(plan, patience=None))
    assert torch.equal(found.head.weight, expected.head.weight)
    assert [epoch.train_loss for epoch in found.history] == [epoch.train_loss for epoch in expected.history]
    assert found.head.statistics.keys() == expected.head.statistics.keys()
    resumed = trained(None, plan, tmp_path / "state")  # from the state after epoch 5
    assert (tmp_path / "state").exists() and torch.equal(resumed.head.weight, found.head.weight)
    assert resumed.history == found.history
