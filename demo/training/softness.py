"""Augmentation with the defects of generated pictures: blur, lost detail, noise and changed brightness."""

import torch
from torch import Tensor
from torch.nn import functional


def soften(images: Tensor, generator: torch.Generator) -> Tensor:
    """Randomly blurs, coarsens, noises and relights each image of `[B, 3, H, W]` in 0..1; clips the result to 0..1.

    `generator` is on the CPU for every device of the images, so that all devices draw the same numbers.
    """

    def uniform(low: float, high: float) -> Tensor:
        return (torch.rand(len(images), 1, 1, 1, generator=generator) * (high - low) + low).to(images.device)

    def happens(probability: float) -> Tensor:
        return uniform(0, 1) < probability

    images = torch.where(happens(0.5), blur(images, uniform(0.3, 1.2)), images)
    coarse = functional.interpolate(images, scale_factor=0.5, mode="area")
    coarse = functional.interpolate(coarse, images.shape[-2:], mode="bicubic", align_corners=False)
    images = torch.where(happens(0.15), coarse, images)
    noise = torch.randn(images.shape, generator=generator).to(images.device)
    images = images + noise * uniform(0, 0.05) * happens(0.5)
    images = (images - 0.5) * uniform(0.85, 1.15) + 0.5 + uniform(-0.07, 0.07)
    return images.clamp(0, 1)


def blur(images: Tensor, sigma: Tensor) -> Tensor:
    """Gaussian blur of images `[B, 3, H, W]` with standard deviations `[B, 1, 1, 1]` in pixels, within 7x7 pixels."""
    batch, channels, height, width = images.shape
    offsets = torch.arange(-3.0, 4.0, device=images.device)
    kernel = torch.exp(-(offsets**2) / (2 * sigma.view(-1, 1) ** 2))
    kernel = (kernel / kernel.sum(1, keepdim=True)).repeat_interleave(channels, 0)
    rows = functional.pad(images.reshape(1, -1, height, width), (3, 3, 3, 3), mode="replicate")
    rows = functional.conv2d(rows, kernel.view(-1, 1, 1, 7), groups=batch * channels)
    return functional.conv2d(rows, kernel.view(-1, 1, 7, 1), groups=batch * channels).view(images.shape)
