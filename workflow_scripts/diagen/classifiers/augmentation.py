"""Image augmentations for training classifiers, and the plain view for evaluating them.

An augmentation is a pure function of images and of uniform random numbers, one row of them per image, so an image's
view depends neither on its neighbors nor on the batch size. Inputs are decoded images, uint8 `[3, H, W]` in their
original size; outputs are float32 batches `[B, 3, size, size]` in [-1, 1] (normalized by mean 0.5 and deviation 0.5),
on the device of the images. Random numbers are on the CPU, and so are the maps, factors and choices that follow from
them: a GPU rounds sines and logarithms differently.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from diagen.images import load_image
from diagen.resizing import resize_together

CROP_SCALE = (0.7, 1.0)  # share of the area, as the paper's classifiers use it
CROP_RATIO = (3 / 4, 4 / 3)  # width over height, the usual range of a random resized crop
CROP_ATTEMPTS = 10  # then the largest central crop within the ratios is used
MAX_ROTATION = 15.0  # degrees


@dataclass(frozen=True)
class Augmentation:
    """`apply(images, draws, size)` augments B images with uniform random numbers in [0, 1), `[B, draws]`."""

    draws: int
    apply: Callable[[Sequence[Tensor], Tensor, int], Tensor]


def decode(path: str | Path) -> Tensor:
    """Read an image file as uint8 `[3, H, W]`, upright and in its original size."""
    return torch.from_numpy(np.array(load_image(path))).permute(2, 0, 1)


def normalize(pixels: Tensor) -> Tensor:
    """Scale values in [0, 255] to float32 in [-1, 1]."""
    return (pixels.float() / 127.5).sub_(1)


def resize(image: Tensor, size: int) -> Tensor:
    """Resize to a square uint8 image `[3, size, size]`: bilinear, antialiased, ignoring the aspect ratio."""
    if image.shape[1:] == (size, size):
        return image
    return functional.interpolate(image[None], (size, size), mode="bilinear", antialias=True)[0]


def resize_all(images: Sequence[Tensor], size: int) -> Tensor:
    """Resize uint8 images of any sizes as `resize` does, on their device: float32 integers `[B, 3, size, size]`."""
    if images[0].device.type == "cpu":
        return torch.stack([resize(image, size) for image in images]).float()
    return resize_together(images, size)


def plain(images: Sequence[Tensor], size: int) -> Tensor:
    """Resize and normalize: the view for validation, test and scoring."""
    return normalize(resize_all(images, size))


def standard(images: Sequence[Tensor], draws: Tensor, size: int) -> Tensor:
    """Apply a random resized crop, a horizontal flip and a rotation by up to 15 degrees (black outside), in order.

    `draws`: `[B, 24]`.
    """
    sizes = torch.tensor([image.shape[1:] for image in images])
    boxes = crop_boxes(sizes, draws[:, : 2 * CROP_ATTEMPTS + 2])
    crops = [
        image[:, top : top + height, left : left + width]
        for image, (top, left, height, width) in zip(images, boxes.tolist(), strict=True)
    ]
    return _flip_and_rotate(resize_all(crops, size), draws[:, -2], draws[:, -1])


def standard_no_crop(images: Sequence[Tensor], draws: Tensor, size: int) -> Tensor:
    """Apply `standard` without the crop, as the published code does on MS COCO. `draws`: `[B, 2]`."""
    return _flip_and_rotate(resize_all(images, size), draws[:, 0], draws[:, 1])


def _flip_and_rotate(pixels: Tensor, flip: Tensor, rotation: Tensor) -> Tensor:
    """Flip, rotate and normalize images `[B, 3, S, S]`; `flip` and `rotation` are uniform numbers `[B]`."""
    angle = torch.deg2rad((2 * rotation - 1) * MAX_ROTATION)
    mirror = torch.where(flip < 0.5, -1.0, 1.0)
    zero = torch.zeros_like(angle)
    # Rows of the map from output to input coordinates. It inverts the flip last, since the flip is applied first.
    x = torch.stack([mirror * angle.cos(), -mirror * angle.sin(), zero], 1)
    y = torch.stack([angle.sin(), angle.cos(), zero], 1)
    return normalize(_sample(pixels, torch.stack([x, y], 1), "bilinear"))


def crop_boxes(sizes: Tensor, draws: Tensor) -> Tensor:
    """Boxes (top, left, height, width) `[B, 4]` of a random resized crop in images of `sizes` (height, width) `[B, 2]`.

    Area (uniform) and ratio (log-uniform) are drawn again until the box fits, at most ten times; if none fits, the
    result is the largest central box of an allowed ratio. `draws`: `[B, 22]` uniform numbers.
    """
    height, width = sizes.double().unbind(1)
    scale, ratio = draws[:, : 2 * CROP_ATTEMPTS].double().chunk(2, dim=1)
    area = (CROP_SCALE[0] + (CROP_SCALE[1] - CROP_SCALE[0]) * scale) * (height * width)[:, None]
    low, high = math.log(CROP_RATIO[0]), math.log(CROP_RATIO[1])
    ratio = torch.exp(low + (high - low) * ratio)
    box_width, box_height = (area * ratio).sqrt().round(), (area / ratio).sqrt().round()
    fits = (box_width >= 1) & (box_height >= 1) & (box_width <= width[:, None]) & (box_height <= height[:, None])
    first = fits.to(torch.uint8).argmax(1, keepdim=True)
    found = fits.any(1)
    central_width = torch.minimum(width, (height * CROP_RATIO[1]).round().clamp(min=1))
    central_height = torch.minimum(height, (width / CROP_RATIO[0]).round().clamp(min=1))
    box_width = torch.where(found, box_width.gather(1, first)[:, 0], central_width)
    box_height = torch.where(found, box_height.gather(1, first)[:, 0], central_height)
    down, across = torch.where(found[:, None], draws[:, -2:].double(), 0.5).unbind(1)
    top = (down * (height - box_height + 1)).floor()
    left = (across * (width - box_width + 1)).floor()
    return torch.stack([top, left, box_height, box_width], 1).long()


def randaugment(images: Sequence[Tensor], draws: Tensor, size: int) -> Tensor:
    """Apply RandAugment (Cubuk et al. 2020) to the resized images: 2 operations of magnitude 9 out of 30 each.

    Operations and magnitudes are torchvision's defaults. `draws`: `[B, 4]`, a choice and a sign for each operation.
    """
    pixels = resize_all(images, size)
    for choice, sign in draws.view(-1, 2, 2).permute(1, 2, 0):
        chosen = (choice * len(OPERATIONS)).long()
        order = chosen.argsort(stable=True)
        counts = torch.bincount(chosen, minlength=len(OPERATIONS)).tolist()
        signs = torch.where(sign < 0.5, -1.0, 1.0)[order].split(counts)
        groups = zip(OPERATIONS, pixels[_beside(pixels, order)].split(counts), signs, strict=True)
        changed = torch.cat([operation(group, own) for operation, group, own in groups if len(group)])
        pixels = changed[_beside(pixels, order.argsort())]
    return normalize(pixels)


def _beside(pixels: Tensor, values: Tensor) -> Tensor:
    """Move `values` to the device of `pixels`, without waiting for it."""
    return values.to(pixels.device, non_blocking=True)


def _sample(pixels: Tensor, maps: Tensor, mode: str) -> Tensor:
    """Warp images `[B, 3, S, S]` by affine maps `[B, 2, 3]` of output to input coordinates in [-1, 1]; 0 outside."""
    grid = functional.affine_grid(_beside(pixels, maps), list(pixels.shape), align_corners=False)
    return functional.grid_sample(pixels, grid, mode=mode, padding_mode="zeros", align_corners=False)


# The operations of RandAugment at magnitude 9. They map whole numbers in [0, 255] `[B, 3, S, S]` and signs `[B]` of
# -1 or 1 to whole numbers in [0, 255]. Magnitudes: torchvision's 31 bins, of which 9 is the default.


def _identity(pixels: Tensor, signs: Tensor) -> Tensor:
    return pixels


def _affine(pixels: Tensor, x: Sequence[float | Tensor], y: Sequence[float | Tensor]) -> Tensor:
    rows = [torch.stack([torch.as_tensor(value).expand(len(pixels)) for value in row], 1) for row in (x, y)]
    return _sample(pixels, torch.stack(rows, 1).float(), "nearest")


def _shear_x(pixels: Tensor, signs: Tensor) -> Tensor:
    return _affine(pixels, (1, 0.09 * signs, 0.09 * signs), (0, 1, 0))


def _shear_y(pixels: Tensor, signs: Tensor) -> Tensor:
    return _affine(pixels, (1, 0, 0), (0.09 * signs, 1, 0.09 * signs))


def _shift(pixels: Tensor) -> float:
    """The translation, a whole number of pixels, in units of half the edge."""
    size = pixels.shape[-1]
    return 2 * int(150 / 331 * size * 9 / 30) / size


def _translate_x(pixels: Tensor, signs: Tensor) -> Tensor:
    return _affine(pixels, (1, 0, _shift(pixels) * signs), (0, 1, 0))


def _translate_y(pixels: Tensor, signs: Tensor) -> Tensor:
    return _affine(pixels, (1, 0, 0), (0, 1, _shift(pixels) * signs))


def _rotate(pixels: Tensor, signs: Tensor) -> Tensor:
    angle = torch.deg2rad(9.0 * signs)
    return _affine(pixels, (angle.cos(), -angle.sin(), 0), (angle.sin(), angle.cos(), 0))


def _blend(degenerate: Tensor, pixels: Tensor, signs: Tensor) -> Tensor:
    """Move away from the degenerate image (sign 1) or towards it (sign -1), by 0.27 of the difference."""
    factor = _beside(pixels, 1 + 0.27 * signs)[:, None, None, None]
    return (degenerate + factor * (pixels - degenerate)).clamp(0, 255).floor()


def _gray(pixels: Tensor) -> Tensor:
    red, green, blue = pixels.split(1, 1)
    return (0.299 * red + 0.587 * green + 0.114 * blue).round()


def _brightness(pixels: Tensor, signs: Tensor) -> Tensor:
    return _blend(torch.zeros_like(pixels), pixels, signs)


def _color(pixels: Tensor, signs: Tensor) -> Tensor:
    return _blend(_gray(pixels), pixels, signs)


def _contrast(pixels: Tensor, signs: Tensor) -> Tensor:
    return _blend(_gray(pixels).mean((1, 2, 3), keepdim=True).round(), pixels, signs)


def _sharpness(pixels: Tensor, signs: Tensor) -> Tensor:
    rows = pixels[:, :, :-2] + pixels[:, :, 1:-1] + pixels[:, :, 2:]
    around = rows[..., :-2] + rows[..., 1:-1] + rows[..., 2:]
    smooth = pixels.clone()
    smooth[:, :, 1:-1, 1:-1] = ((around + 4 * pixels[:, :, 1:-1, 1:-1]) / 13).round()
    return _blend(smooth, pixels, signs)


def _posterize(pixels: Tensor, signs: Tensor) -> Tensor:
    return (pixels / 2).floor() * 2


def _solarize(pixels: Tensor, signs: Tensor) -> Tensor:
    return torch.where(pixels < 178.5, pixels, 255 - pixels)


def _autocontrast(pixels: Tensor, signs: Tensor) -> Tensor:
    low, high = pixels.amin((2, 3), keepdim=True), pixels.amax((2, 3), keepdim=True)
    stretched = ((pixels - low) * 255 / (high - low).clamp(min=1)).floor()
    return torch.where(high > low, stretched, pixels)


def _equalize(pixels: Tensor, signs: Tensor) -> Tensor:
    flat = pixels.flatten(2).long()
    bins = 256 * torch.arange(flat.shape[0] * 3, device=flat.device).view(-1, 3, 1)
    # Unlike `scatter_add_`, this counts fast and in deterministic mode on a GPU too.
    counts = torch.bincount((flat + bins).flatten(), minlength=256 * bins.numel()).view(-1, 3, 256)
    step = (flat.shape[2] - counts.gather(2, flat.amax(2, keepdim=True))) // 255
    below = counts.cumsum(2) - counts
    table = ((step // 2 + below) // step.clamp(min=1)).clamp(max=255)
    equal = table.gather(2, flat).view_as(pixels).float()
    return torch.where(step[..., None] > 0, equal, pixels)


OPERATIONS = (
    _identity,
    _shear_x,
    _shear_y,
    _translate_x,
    _translate_y,
    _rotate,
    _brightness,
    _color,
    _contrast,
    _sharpness,
    _posterize,
    _solarize,
    _autocontrast,
    _equalize,
)
AUGMENTATIONS = {
    "standard": Augmentation(2 * CROP_ATTEMPTS + 4, standard),
    "standard_no_crop": Augmentation(2, standard_no_crop),
    "randaugment": Augmentation(4, randaugment),
    "cutmix": Augmentation(2 * CROP_ATTEMPTS + 4, standard),  # diagen.classifiers.cutmix pastes views into each other
}
