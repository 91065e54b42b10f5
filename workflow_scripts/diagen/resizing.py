"""Antialiased resizing of uint8 images of any sizes, all at once for a GPU, with the result of torch's CPU kernel."""

from collections.abc import Sequence

import torch
from torch import Tensor

MOST_PIXELS = 2**25  # in one pass, with padding: 0.4 GB as float32 RGB, and 128 photos of 512 pixels
MOST_BITS = 22  # of a weight's fraction, and
WEIGHT_BITS = 15  # of its significant digits, in torch's kernel as in Pillow's


def resize_together(images: Sequence[Tensor], size: int) -> Tensor:
    """Resize uint8 images `[3, H, W]` of any sizes on one device to `[B, 3, size, size]`, float32 integers in [0, 255].

    Bilinear and antialiased: rows and then columns are multiplied by a matrix of weights for each image. As in torch's
    CPU kernel for uint8 (Pillow's algorithm), weights are fixed-point numbers and both products are rounded. If edges
    shrink at most threefold, sums are exact in float32 (without TF32) and the result is that of the kernel. Beyond, a
    value differs by one level where its sum is next to a half.
    """
    heights, widths = torch.tensor([image.shape[1:] for image in images]).unbind(1)
    height, width = int(heights.max()), int(widths.max())
    half = len(images) // 2
    if half and len(images) * height * width > MOST_PIXELS:
        return torch.cat([resize_together(part, size) for part in (images[:half], images[half:])])
    device = images[0].device
    padded = torch.zeros(len(images), height, 3, width, device=device)
    for place, image in zip(padded, images, strict=True):
        place[: image.shape[1], :, : image.shape[2]] = image.transpose(0, 1)
    narrow = _rounded(padded.flatten(1, 2) @ _weights(widths, size, device).mT)
    small = _rounded(_weights(heights, size, device) @ narrow.view(len(images), height, 3 * size))
    return small.view(len(images), size, 3, size).transpose(1, 2)


def _rounded(values: Tensor) -> Tensor:
    return values.add_(0.5).floor_().clamp_(max=255)


def _weights(lengths: Tensor, size: int, device: torch.device) -> Tensor:
    """Weights of the pixels of lines of `lengths` `[B]` (CPU) in each of `size` new pixels, `[B, size, longest]`.

    A triangle around the new pixel's center, as wide as two new pixels, but at least two old ones.
    """
    # Small tables come from the CPU: on a GPU, division by a constant multiplies by its rounded reciprocal.
    scale = lengths.double() / size
    centers = (scale[:, None] * (torch.arange(size) + 0.5))[:, :, None].to(device, non_blocking=True)
    slope = (1 / scale.clamp(min=1))[:, None, None].to(device, non_blocking=True)
    place = torch.arange(int(lengths.max()), device=device)
    weights = (place - centers).add_(0.5).mul_(slope).abs_().neg_().add_(1).clamp_(min=0)
    weights *= place < lengths.to(device, non_blocking=True)[:, None, None]
    weights /= weights.sum(2, keepdim=True)
    steps = 1 << torch.arange(1, MOST_BITS + 1, device=device)
    bits = (0.5 + weights.amax((1, 2))[:, None] * steps < 2**WEIGHT_BITS).sum(1)
    one = (1 << bits)[:, None, None]
    return weights.mul_(one).add_(0.5).floor_().div_(one).float()
