"""Augmented views of one image at a time with Pillow, in the manner of torchvision's transforms.

The random numbers of a view are given, so that a view can be compared with the library's.
"""

import math
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor

ATTEMPTS = 10
DRAWS = 2 * ATTEMPTS + 4
"""Random numbers of a view: areas and ratios of ten attempts, place of the crop (down, across), flip, rotation."""


def read(path: str | Path) -> Image.Image:
    """Read an image file as RGB."""
    with Image.open(path) as file:
        return file.convert("RGB")


def plain_view(image: Image.Image, size: int) -> Tensor:
    """Resize and normalize: float32 [3, size, size] in [-1, 1]."""
    return _to_tensor(image.resize((size, size), Image.Resampling.BILINEAR))


def augmented_view(image: Image.Image, draws: Tensor, size: int) -> Tensor:
    """Random resized crop (0.7 to 1), flip and rotation up to 15 degrees by uniform numbers [DRAWS]."""
    numbers = draws.tolist()
    left, top, width, height = crop_box(image.width, image.height, numbers)
    view = image.crop((left, top, left + width, top + height)).resize((size, size), Image.Resampling.BILINEAR)
    if numbers[-2] < 0.5:
        view = view.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    # A black margin blends the edge with black, as torchvision does for tensors; Pillow alone cuts it off.
    rotated = ImageOps.expand(view, 1).rotate((2 * numbers[-1] - 1) * 15, Image.Resampling.BILINEAR)
    return _to_tensor(ImageOps.crop(rotated, 1))


def crop_box(width: int, height: int, numbers: list[float]) -> tuple[int, int, int, int]:
    """Left, top, width and height, as in torchvision's `RandomResizedCrop.get_params`."""
    low, high = math.log(3 / 4), math.log(4 / 3)
    down, across = numbers[2 * ATTEMPTS : 2 * ATTEMPTS + 2]
    for attempt in range(ATTEMPTS):
        area = (0.7 + (1.0 - 0.7) * numbers[attempt]) * width * height
        ratio = math.exp(low + (high - low) * numbers[ATTEMPTS + attempt])
        w, h = round(math.sqrt(area * ratio)), round(math.sqrt(area / ratio))
        if 0 < w <= width and 0 < h <= height:
            return int(across * (width - w + 1)), int(down * (height - h + 1)), w, h
    w, h = min(width, round(height * 4 / 3)), min(height, round(width * 4 / 3))
    return (width - w + 1) // 2, (height - h + 1) // 2, w, h


def _to_tensor(image: Image.Image) -> Tensor:
    pixels = torch.from_numpy(np.array(image)).permute(2, 0, 1).float() / 255
    return (pixels - 0.5) / 0.5
