"""CutMix (Yun et al. 2019, arXiv 1905.04899): paste a box of another image of the batch into each training image.

As in the authors' code, a batch has one box, whose area is drawn from Beta(1, 1), and one permutation of partners, and
labels are mixed by the area of the box after clipping to the image. Every batch is mixed.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional


@dataclass(frozen=True)
class Mix:
    """The partners and boxes of the n draws of an epoch.

    `partners` `[n]`: the draw whose box is pasted; `boxes` `[n, 4]`: its top, left, bottom and right in pixels, the
    latter two exclusive; `shares` `[n]`, float64: the box's share of the area. Boxes and shares are equal within a
    batch.
    """

    partners: Tensor
    boxes: Tensor
    shares: Tensor


def draws_per_batch(batch: int) -> int:
    """Number of uniform random numbers per batch: area, center (row, column), and a permutation of its images."""
    return 3 + batch


def mix(draws: Tensor, size: int) -> Mix:
    """The mix of batches of square images of `size` pixels, from uniform numbers in [0, 1) `[batches, 3 + batch]`."""
    batches, batch = len(draws), draws.shape[1] - 3
    boxes = cut_boxes(draws[:, 0], draws[:, 1], draws[:, 2], size)
    first = torch.arange(batches)[:, None] * batch
    area = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    shares = area.double() / size**2
    partners = first + draws[:, 3:].argsort(dim=1)
    return Mix(partners.flatten(), boxes.repeat_interleave(batch, 0), shares.repeat_interleave(batch))


def cut_boxes(kept: Tensor, row: Tensor, column: Tensor, size: int) -> Tensor:
    """Boxes `[n, 4]` (top, left, bottom, right) that cover the share 1 - `kept` of the area, clipped to the image.

    `kept` is the paper's lambda, `row` and `column` are the center of the box; all are in [0, 1), `[n]`.
    """
    half = (size * (1 - kept).sqrt()).long() // 2
    down, across = (row * size).long(), (column * size).long()
    corners = torch.stack([down - half, across - half, down + half, across + half], 1)
    return corners.clamp(0, size)


def paste(images: Tensor, partners: Tensor, boxes: Tensor) -> Tensor:
    """Replace the `boxes` `[B, 4]` of `images` `[B, 3, S, S]` by those of `partners` `[B, 3, S, S]`."""
    boxes = boxes.to(images.device, non_blocking=True)
    place = torch.arange(images.shape[-1], device=images.device)
    rows = (place >= boxes[:, 0:1]) & (place < boxes[:, 2:3])
    columns = (place >= boxes[:, 1:2]) & (place < boxes[:, 3:4])
    return torch.where((rows[:, :, None] & columns[:, None, :])[:, None], partners, images)


def mixed_labels(labels: Tensor, mixed: Mix, n_classes: int) -> Tensor:
    """Class probabilities, float32 `[n, C]`: each draw's label and its partner's, weighted by their areas."""
    own, other = (functional.one_hot(one, n_classes).double() for one in (labels, labels[mixed.partners]))
    return torch.lerp(own, other, mixed.shares[:, None]).float()
