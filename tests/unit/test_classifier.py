"""The linear layers: against torch step by step, the best epoch, determinism, and the programs from end to end."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch.nn import functional

import score_images
import train_downstream
import train_guide_classifier
from diagen import classifier
from diagen.augmentation import AUGMENTATIONS
from diagen.backbones import Backbone, load_backbone
from diagen.classifier import Epoch, Trained, new_head, read_cell, read_head, train_head, write_head
from diagen.config.models import BackboneModel
from diagen.errors import InputError
from diagen.manifest import ManifestRow, write_manifest
from diagen.recipe import Recipe
from diagen.sampling import draw_rows, read_weights
from diagen.seeds import stable_seed
from diagen.shots import Shot, write_shots

CPU = torch.device("cpu")
CLASSES = ("boat", "red_car")
COLOURS = {"boat": (30, 60, 220), "red_car": (220, 40, 30)}


@pytest.fixture(scope="module")
def backbone(stand_ins: Path) -> Backbone:
    return load_backbone(BackboneModel(path=str(stand_ins / "resnet")), CPU)


@pytest.fixture(scope="module")
def cell_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cell of two classes that differ in colour; uncommon images exist for one class only."""
    folder = tmp_path_factory.mktemp("cell")
    rs = np.random.RandomState(0)
    rows = []
    for role, counts in {"guide": (2, 2), "val": (3, 5), "test": (4, 4), "test_uncommon": (3, 0)}.items():
        for name, count in zip(CLASSES, counts, strict=True):
            for number in range(count):
                path = folder / f"{role}_{name}_{number}.png"
                save(path, name, rs)
                rows.append(Shot(role, name, number if role == "guide" else None, path.as_posix(), "0" * 64))
    write_shots(rows, folder / "shots.csv")
    return folder / "shots.csv"


def save(path: Path, name: str, rs: np.random.RandomState) -> None:
    pixels = np.clip(np.array(COLOURS[name]) + rs.normal(0, 40, (36, 40, 3)), 0, 255)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels.astype(np.uint8)).save(path)


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
    """The same training written plainly with `torch.nn.Linear`: the weight after each epoch, and its figures."""
    images, labels, probabilities, (features, targets) = random_task(width_of(backbone))
    parts = ("world", 0, 2, "downstream")
    start = new_head(CLASSES, width_of(backbone), stable_seed(*parts, "layer"))
    layer = torch.nn.Linear(width_of(backbone), 2)
    layer.load_state_dict({"weight": start.weight, "bias": start.bias})
    optimiser = torch.optim.Adam(layer.parameters(), plan.learning_rate, weight_decay=plan.weight_decay)
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
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
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


def test_best_epoch_is_a_copy(backbone: Backbone, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the first epoch is good: what is returned must be the layer as it was then."""
    verdicts = iter([(0.5, 0.9), (0.5, 0.9), (0.4, 0.9), (9.0, 0.1)])
    monkeypatch.setattr(classifier, "balanced_loss_and_accuracy", lambda *_: next(verdicts))
    trained = train(backbone, recipe(epochs=4))
    assert trained.best_epoch == 3, "equal accuracy: the lower loss decides; all equal: the earlier epoch"
    after_three = plain_epochs(backbone, recipe(epochs=4))[2][0]
    torch.testing.assert_close(trained.head.weight, after_three, rtol=1e-4, atol=1e-5)
    assert not trained.head.weight.requires_grad


def test_patience(backbone: Backbone, monkeypatch: pytest.MonkeyPatch) -> None:
    losses = iter([1.0, 0.8, 0.9, 0.8, 0.85, 0.1])
    monkeypatch.setattr(classifier, "balanced_loss_and_accuracy", lambda *_: (next(losses), 0.5))
    trained = train(backbone, recipe(epochs=6, best="loss", patience=3))
    assert trained.best_epoch == 2 and len(trained.history) == 5


def test_same_seed_same_bits(backbone: Backbone) -> None:
    state = torch.get_rng_state()
    first, second = train(backbone, recipe()), train(backbone, recipe())
    assert torch.equal(first.head.weight, second.head.weight) and first.history == second.history
    assert torch.equal(state, torch.get_rng_state())
    other = train(backbone, recipe(), micro_batch=16)
    torch.testing.assert_close(first.head.weight, other.head.weight, rtol=1e-3, atol=1e-4)


def test_head_survives_the_file(tmp_path: Path) -> None:
    head = new_head(["b", "a", "c"], 7, 3)
    assert head.weight.abs().max() <= 7**-0.5 and head.weight.std() > 0.1
    write_head(head, tmp_path / "head.safetensors")
    again = read_head(tmp_path / "head.safetensors")
    assert again.classes == ("b", "a", "c") and torch.equal(again.weight, head.weight)
    assert torch.equal(again.logits(torch.ones(2, 7)), torch.nn.functional.linear(torch.ones(2, 7), *head_parts(head)))


def head_parts(head: classifier.Head) -> tuple[torch.Tensor, torch.Tensor]:
    return head.weight, head.bias


def test_cells_are_refused_without_validation_or_guides(tmp_path: Path) -> None:
    guide = Shot("guide", "car", 0, "a.png", "")
    with pytest.raises(InputError, match="shots.csv has no val images"):
        read_cell([guide], tmp_path / "shots.csv")
    with pytest.raises(InputError, match="class 'tree' has no guide image"):
        read_cell([guide, Shot("val", "tree", None, "b.png", "")], tmp_path / "shots.csv")


def call(monkeypatch: pytest.MonkeyPatch, program: object, *arguments: object) -> None:
    monkeypatch.setattr(
        "sys.argv", ["program", *map(str, arguments), "--device", "cpu", "--torch-threads", "1", "--micro-batch", "8"]
    )
    program.main()


def test_programs_from_shots_to_metrics(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, stand_ins: Path, cell_file: Path
) -> None:
    rs = np.random.RandomState(7)
    rows = []
    for name in CLASSES:
        for guide in range(2):
            for number in range(3):
                file_name = f"images/{name}_{guide}_{number}.png"
                shown = CLASSES[1 - CLASSES.index(name)] if number == 2 else name  # the last one went wrong
                save(tmp_path / "store" / file_name, shown, rs)
                rows.append(ManifestRow(file_name, name, guide, number, "a photo", 0.0, 1, 2, "0" * 64))
    write_manifest(rows, tmp_path / "manifest.csv")
    backbone = {"path": str(stand_ins / "resnet")}
    guide = {"epochs": 6, "iterations": 10, "patience": 6, "batch": 8, "learning_rate": 0.05}
    cell = ("--seed", 0, "--shots", 2)
    call(
        monkeypatch, train_guide_classifier, cell_file, *cell, "--dataset", "world", "--output", tmp_path / "guide",
        "--settings", json.dumps({"guide": guide, "backbone": backbone, "image_size": 32}),
    )  # fmt: skip
    calibration = json.loads((tmp_path / "guide" / "calibration.json").read_text())
    assert calibration["classes"] == list(CLASSES) and calibration["val"]["n_images"] == 8
    assert calibration["val"]["accuracy_before"] == calibration["val"]["accuracy_after"]

    scoring = {"transform": "confidence", "normalise": "guide_image", "backbone": backbone, "image_size": 32}
    call(
        monkeypatch, score_images, tmp_path / "manifest.csv", tmp_path / "guide", "--store", tmp_path / "store",
        "--output", tmp_path / "weights.csv", "--settings", json.dumps(scoring),
    )  # fmt: skip
    weights = read_weights(tmp_path / "weights.csv")
    assert [row.file_name for row in weights] == [row.file_name for row in rows]
    assert all(sum(row.weight for row in weights[start : start + 3]) == pytest.approx(1) for start in (0, 3, 6, 9))
    assert {row.temperature for row in weights} == {calibration["temperature"]}
    wrong = np.mean([row.confidence for row in weights[2::3]])
    assert wrong < 0.5 < np.mean([row.confidence for row in weights[0::3]])

    downstream = {"epochs": 3, "iterations": 10, "batch": 8, "learning_rate": 0.05, "image_size": 32}
    settings = {
        "method": "diagen", "dataset": "world", "downstream": downstream, "backbone": backbone,
        "synthetic_probability": 0.7,
    }  # fmt: skip
    arguments = (cell_file, "--manifest", tmp_path / "manifest.csv", "--weights", tmp_path / "weights.csv", *cell)
    for output in ("once", "twice"):
        call(
            monkeypatch, train_downstream, *arguments, "--store", tmp_path / "store",
            "--settings", json.dumps(settings), "--output", tmp_path / output,
        )  # fmt: skip
    for name in ("metrics.json", "history.csv", "predictions.csv", "head.safetensors"):
        assert (tmp_path / "once" / name).read_bytes() == (tmp_path / "twice" / name).read_bytes()
    metrics = json.loads((tmp_path / "once" / "metrics.json").read_text())
    assert metrics["splits"]["test"]["accuracy"] > 0.8 and metrics["splits"]["val"]["n_images"] == 8
    assert metrics["classes_left_out"] == {"val": [], "test": [], "test_uncommon": ["red_car"]}
    history = list(csv.DictReader((tmp_path / "once" / "history.csv").open()))
    best = history[metrics["best_epoch"] - 1]
    assert float(best["val_accuracy"]) == metrics["splits"]["val"]["accuracy"], "the tested layer is the best epoch's"
    predictions = list(csv.DictReader((tmp_path / "once" / "predictions.csv").open()))
    for split, result in metrics["splits"].items():
        found = [row for row in predictions if row["split"] == split]
        assert len(found) == result["n_images"]
        per_class = {
            name: np.mean([row["predicted"] == name for row in found if row["class"] == name])
            for name in {row["class"] for row in found}
        }
        assert {name: one["accuracy"] for name, one in result["per_class"].items()} == pytest.approx(per_class)
        assert result["accuracy"] == pytest.approx(np.mean(list(per_class.values())))
