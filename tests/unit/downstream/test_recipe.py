"""The recipe of downstream classifiers: its weight decay against torch's optimizers."""

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional

from diagen.classifiers.heads import new_head
from diagen.classifiers.linear_probe import train_head
from diagen.classifiers.trained_file import Epoch
from diagen.config import Downstream
from diagen.downstream.training import recipe_of
from diagen.models.classifier_body import Backbone
from diagen.seeds import stable_seed
from diagen.weighting.drawing import draw_rows

CPU = torch.device("cpu")
CLASSES = ("boat", "car", "star")
PARTS = ("world", 0, 2, "downstream")
SHORT = {"epochs": 3, "iterations": 5, "batch": 4, "learning_rate": 0.05, "image_size": 8, "selection": "last"}


class Pixels(torch.nn.Module):
    """A backbone whose features are the pixels."""

    def forward(self, views: Tensor) -> Tensor:
        return views.flatten(1)


def material(seed: int) -> tuple[list[Tensor], Tensor]:
    """Random images, and their labels."""
    generator = torch.Generator().manual_seed(seed)
    return [torch.randint(0, 256, (3, 8, 8), generator=generator, dtype=torch.uint8) for _ in range(9)], (
        torch.arange(9) % 3
    )


def trained(seed: int, **values: object) -> tuple[Tensor, Tensor, tuple[Epoch, ...]]:
    """Weight, bias and history of a layer, trained on the one plain view of each random image."""
    images, labels = material(seed)
    backbone: Backbone = Pixels()
    features = torch.stack(images).flatten(1).float() / 127.5 - 1
    found = train_head(
        backbone, images, labels, np.full(9, 1 / 9), CLASSES, (lambda: features, labels),
        recipe_of(Downstream(**SHORT, **values)), seed_parts=PARTS, micro_batch=4, device=CPU,
    )  # fmt: skip
    return found.head.weight.detach(), found.head.bias.detach(), found.history


@pytest.fixture(autouse=True)
def plain_views(monkeypatch: pytest.MonkeyPatch) -> None:
    """Views are the images themselves, so that a plain loop needs no augmentation."""

    def views(images, labels, rows, *_: object):
        pixels = torch.stack([images[row] for row in rows]).float() / 127.5 - 1
        return (lambda chosen: pixels[list(chosen)]), labels[torch.from_numpy(rows)]

    monkeypatch.setattr("diagen.classifiers.linear_probe.epoch_views", views)


@pytest.mark.parametrize(("decay", "optimizer"), [("l2", torch.optim.Adam), ("decoupled", torch.optim.AdamW)])
@pytest.mark.parametrize("weight_decay", [0.0, 0.3])
@pytest.mark.parametrize("seed", [0, 1])
def test_a_layer_is_that_of_torchs_optimizer(decay: str, optimizer: type, weight_decay: float, seed: int) -> None:
    weight, bias, _ = trained(seed, weight_decay=weight_decay, decay=decay)
    images, labels = material(seed)
    start = new_head(CLASSES, 192, stable_seed(*PARTS, "layer"))
    layer = torch.nn.Linear(192, 3)
    layer.load_state_dict({"weight": start.weight, "bias": start.bias})
    steps = optimizer(layer.parameters(), SHORT["learning_rate"], weight_decay=weight_decay)
    stream = torch.Generator().manual_seed(stable_seed(*PARTS, "draws"))
    names = [CLASSES[label] for label in labels]
    for _ in range(SHORT["epochs"]):
        uniforms = torch.rand(20, generator=stream, dtype=torch.float64).numpy()
        rows = draw_rows(np.full(9, 1 / 9), names, uniforms)
        for first in range(0, 20, 4):
            part = rows[first : first + 4]
            features = torch.stack([images[row] for row in part]).flatten(1).float() / 127.5 - 1
            steps.zero_grad()
            functional.cross_entropy(layer(features), labels[part]).backward()
            steps.step()
    torch.testing.assert_close(weight, layer.weight.detach(), rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(bias, layer.bias.detach(), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("decay", ["l2", "decoupled"])
def test_weights_decay_and_by_default_do_not(decay: str) -> None:
    assert recipe_of(Downstream()).weight_decay == 0, "as in the paper"
    plain, decayed = trained(3), trained(3, weight_decay=0.5, decay=decay)
    assert decayed[0].norm() < 0.9 * plain[0].norm()
    assert torch.equal(plain[0], trained(3, weight_decay=0.0, decay=decay)[0])
