"""CutMix compared with the paper's algorithm in a plain loop, pixel by pixel and step by step."""

import copy
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from torch.nn import functional

from diagen.classifiers.augmentation import AUGMENTATIONS
from diagen.classifiers.cutmix import cut_boxes, draws_per_batch, mix, mixed_labels, paste
from diagen.classifiers.heads import new_head
from diagen.classifiers.linear_probe import train_head
from diagen.classifiers.recipe import Recipe
from diagen.config.models import BackboneModel
from diagen.models.backbones import load_backbone
from diagen.seeds import stable_seed
from diagen.weighting.drawing import draw_rows


def plain_box(kept: float, row: float, column: float, size: int) -> tuple[int, int, int, int]:
    """The CutMix paper's eq. (2): an edge of size * sqrt(1 - lambda) around a uniform center, clipped to the image."""
    edge = int(size * np.sqrt(1 - kept))
    centers = int(row * size), int(column * size)
    top, left = (max(0, center - edge // 2) for center in centers)
    bottom, right = (min(size, center + edge // 2) for center in centers)
    return top, left, bottom, right


uniform = st.floats(0, 1, exclude_max=True)


@given(uniform, uniform, uniform, st.integers(1, 300))
def test_boxes(kept: float, row: float, column: float, size: int) -> None:
    numbers = [torch.tensor([value], dtype=torch.float64) for value in (kept, row, column)]
    (box,) = cut_boxes(*numbers, size).tolist()
    assert tuple(box) == plain_box(kept, row, column, size)
    assert 0 <= box[0] <= box[2] <= size and 0 <= box[1] <= box[3] <= size


def random_mix(batches: int, batch: int, size: int):
    draws = torch.rand(batches, draws_per_batch(batch), generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    return draws, mix(draws, size)


def test_labels_are_mixed_by_the_pixels_that_were_pasted() -> None:
    batch, size = 4, 17
    _, mixed = random_mix(6, batch, size)
    zeros, ones = torch.zeros(24, 3, size, size), torch.ones(24, 3, size, size)
    pasted = paste(zeros, ones, mixed.boxes).mean((1, 2, 3)).double()
    torch.testing.assert_close(pasted, mixed.shares, atol=1e-6, rtol=0)
    labels = torch.arange(24) % 3
    targets = mixed_labels(labels, mixed, 3)
    for row, (label, partner) in enumerate(zip(labels.tolist(), mixed.partners.tolist(), strict=True)):
        expected = np.zeros(3)
        expected[label] += 1 - pasted[row]
        expected[labels[partner]] += pasted[row]
        assert targets[row].tolist() == pytest.approx(expected, abs=1e-6)
    assert targets.dtype == torch.float32 and torch.allclose(targets.sum(1), torch.ones(24))


def test_paste_moves_the_box_and_nothing_else() -> None:
    images, partners = torch.rand(2, 3, 9, 9), torch.rand(2, 3, 9, 9)
    boxes = torch.tensor([[2, 3, 5, 9], [0, 0, 0, 4]])
    result = paste(images, partners, boxes)
    expected = images.clone()
    expected[0, :, 2:5, 3:9] = partners[0, :, 2:5, 3:9]
    assert torch.equal(result, expected)


def test_partners_are_a_permutation_of_each_batch_with_one_box() -> None:
    _, mixed = random_mix(50, 8, 32)
    partners = mixed.partners.view(50, 8) - 8 * torch.arange(50)[:, None]
    assert torch.equal(partners.sort(1).values, torch.arange(8).expand(50, 8))
    assert len({tuple(one) for one in partners.tolist()}) > 40
    assert (mixed.boxes.view(50, 8, 4) == mixed.boxes.view(50, 8, 4)[:, :1]).all()


def test_area_is_drawn_from_beta_1_1() -> None:
    """Boxes around the image center are not clipped: their share of the area is 1 - lambda, up to whole pixels."""
    kept = torch.rand(4000, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    half = torch.full((4000,), 0.5, dtype=torch.float64)
    top, left, bottom, right = cut_boxes(kept, half, half, 4000).unbind(1)
    share = ((bottom - top) * (right - left)).double() / 4000**2
    assert stats.kstest(share.numpy(), stats.beta(1, 1).cdf).pvalue > 0.01


def test_training_is_the_papers_step_by_step(stand_ins: Path) -> None:
    """The loss of the authors' code, lambda times one cross-entropy plus the rest times the other, in a plain loop."""
    backbone = load_backbone(BackboneModel(path=str(stand_ins / "resnet")), torch.device("cpu"))
    generator = torch.Generator().manual_seed(1)
    images = [torch.randint(0, 256, (3, 36, 40), generator=generator, dtype=torch.uint8) for _ in range(6)]
    labels = torch.tensor([0, 0, 0, 1, 1, 1])
    validation = backbone(torch.rand(5, 3, 32, 32, generator=generator)), torch.tensor([0, 1, 0, 1, 0])
    plan = Recipe(3, 4, 4, 0.01, 0.0, "cutmix", 32, "accuracy", selection="last")
    parts = ("world", 0, 2, "downstream")
    trained = train_head(
        backbone, images, labels, np.full(6, 1 / 6), ("a", "b"), (lambda: validation[0], validation[1]), plan,
        seed_parts=parts, micro_batch=5, device=torch.device("cpu"),
    )  # fmt: skip

    start = new_head(("a", "b"), validation[0].shape[1], stable_seed(*parts, "layer"))
    layer = torch.nn.Linear(validation[0].shape[1], 2)
    layer.load_state_dict({"weight": start.weight, "bias": start.bias})
    optimizer = torch.optim.Adam(layer.parameters(), plan.learning_rate)
    streams = {
        name: torch.Generator().manual_seed(stable_seed(*parts, name)) for name in ("draws", "augmentation", "cutmix")
    }
    names = [("a", "b")[label] for label in labels]
    for _ in range(plan.epochs):
        rows = draw_rows(
            np.full(6, 1 / 6), names, torch.rand(16, generator=streams["draws"], dtype=torch.float64).numpy()
        )
        draws = torch.rand(16, AUGMENTATIONS["standard"].draws, generator=streams["augmentation"])
        decisions = torch.rand(4, 3 + 4, generator=streams["cutmix"], dtype=torch.float64)
        for step in range(4):
            part = slice(4 * step, 4 * step + 4)
            views = AUGMENTATIONS["standard"].apply([images[row] for row in rows[part]], draws[part], 32)
            kept, row, column, *order = decisions[step].tolist()
            order = np.argsort(order)
            top, left, bottom, right = plain_box(kept, row, column, 32)
            pasted = copy.deepcopy(views)
            pasted[:, :, top:bottom, left:right] = views[order][:, :, top:bottom, left:right]
            share = (bottom - top) * (right - left) / 32**2
            logits, own = layer(backbone(pasted)), labels[rows[part]]
            other = own[order]
            loss = (1 - share) * functional.cross_entropy(logits, own) + share * functional.cross_entropy(logits, other)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    torch.testing.assert_close(trained.head.weight, layer.weight.detach(), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(trained.head.bias, layer.bias.detach(), rtol=1e-4, atol=1e-5)
