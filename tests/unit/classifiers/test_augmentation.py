"""Augmentations compared with Pillow, and independence of an image's view from its batch."""

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageEnhance, ImageOps

from diagen.classifiers import augmentation
from diagen.classifiers.augmentation import (
    AUGMENTATIONS,
    CROP_ATTEMPTS,
    crop_boxes,
    decode,
    plain,
    resize,
    standard,
    standard_no_crop,
)

SIZE = 33


def photo(height: int = SIZE, width: int = SIZE, seed: int = 0) -> Image.Image:
    """Smooth colors, so that neighboring pixels differ little, with an edge."""
    rs = np.random.RandomState(seed)
    small = Image.fromarray(rs.randint(20, 230, (5, 5, 3), dtype=np.uint8))
    image = small.resize((width, height), Image.Resampling.BICUBIC)
    image.paste((200, 40, 90), (width // 4, height // 4, width // 2, height // 2))
    return image


def tensor(image: Image.Image) -> torch.Tensor:
    return torch.from_numpy(np.array(image)).permute(2, 0, 1)


def transformed(image: Image.Image, *matrix: float) -> Image.Image:
    return image.transform(image.size, Image.Transform.AFFINE, matrix, Image.Resampling.NEAREST)


def rotated(image: Image.Image, sign: int) -> Image.Image:
    return image.rotate(9 * sign, Image.Resampling.NEAREST)


def enhanced(kind: type) -> Callable[[Image.Image, int], Image.Image]:
    return lambda image, sign: kind(image).enhance(1 + 0.27 * sign)


SHIFT = int(150 / 331 * SIZE * 0.3)
REFERENCES = {
    "_identity": lambda image, sign: image,
    "_shear_x": lambda image, sign: transformed(image, 1, 0.09 * sign, 0, 0, 1, 0),
    "_shear_y": lambda image, sign: transformed(image, 1, 0, 0, 0.09 * sign, 1, 0),
    "_translate_x": lambda image, sign: transformed(image, 1, 0, SHIFT * sign, 0, 1, 0),
    "_translate_y": lambda image, sign: transformed(image, 1, 0, 0, 0, 1, SHIFT * sign),
    "_rotate": rotated,
    "_brightness": enhanced(ImageEnhance.Brightness),
    "_color": enhanced(ImageEnhance.Color),
    "_contrast": enhanced(ImageEnhance.Contrast),
    "_sharpness": enhanced(ImageEnhance.Sharpness),
    "_posterize": lambda image, sign: ImageOps.posterize(image, 7),
    "_solarize": lambda image, sign: ImageOps.solarize(image, 178.5),
    "_autocontrast": lambda image, sign: ImageOps.autocontrast(image),
    "_equalize": lambda image, sign: ImageOps.equalize(image),
}


@pytest.mark.parametrize("operation", augmentation.OPERATIONS, ids=lambda operation: operation.__name__)
def test_randaugment_operations_against_pillow(operation: Callable) -> None:
    images = [photo(seed=seed) for seed in (0, 1)]
    signs = [1, -1]
    found = operation(torch.stack([tensor(image) for image in images]).float(), torch.tensor(signs).float())
    for result, image, sign in zip(found, images, signs, strict=True):
        expected = tensor(REFERENCES[operation.__name__](image, sign)).float()
        off = (result - expected).abs().amax(0) > 1
        assert off.float().mean() < 0.02, "more than rounding of a coordinate at an edge"
        assert torch.equal(result, result.round()) and 0 <= result.min() and result.max() <= 255


def test_flat_image_stays_finite() -> None:
    flat = torch.full((1, 3, 8, 8), 100.0)
    for operation in augmentation.OPERATIONS:
        result = operation(flat.clone(), torch.ones(1))
        assert torch.isfinite(result).all()


@pytest.mark.parametrize("shape", [(20, 50), (90, 64), (33, 33), (10, 12)])
def test_evaluation_is_pillows_resize(shape: tuple[int, int]) -> None:
    image = photo(*shape)
    expected = tensor(image.resize((SIZE, SIZE), Image.Resampling.BILINEAR)).float()
    assert (resize(tensor(image), SIZE).float() - expected).abs().max() <= 1
    assert torch.allclose(plain([tensor(image)], SIZE)[0] * 127.5 + 127.5, expected, atol=1.01)


def test_standard_against_pillow_step_by_step() -> None:
    image = photo(60, 48)
    draws = torch.rand(1, AUGMENTATIONS["standard"].draws, generator=torch.Generator().manual_seed(3))
    for flip in (0.2, 0.8):
        draws[0, -2] = flip
        top, left, height, width = crop_boxes(torch.tensor([[60, 48]]), draws[:, : 2 * CROP_ATTEMPTS + 2])[0].tolist()
        expected = image.crop((left, top, left + width, top + height)).resize((SIZE, SIZE), Image.Resampling.BILINEAR)
        expected = ImageOps.mirror(expected) if flip < 0.5 else expected
        expected = expected.rotate(float(2 * draws[0, -1] - 1) * 15, Image.Resampling.BILINEAR)
        found = standard([tensor(image)], draws, SIZE)[0] * 127.5 + 127.5
        assert ((found - tensor(expected)).abs().amax(0) > 3).float().mean() < 0.06, "more than the rotated border"


def test_standard_without_crop_sees_the_whole_image() -> None:
    image = photo(60, 48)
    whole = image.resize((SIZE, SIZE), Image.Resampling.BILINEAR)
    for flip, rotation in ((0.2, 0.5), (0.8, 0.5), (0.2, 0.9)):
        expected = ImageOps.mirror(whole) if flip < 0.5 else whole
        expected = expected.rotate((2 * rotation - 1) * 15, Image.Resampling.BILINEAR)
        found = standard_no_crop([tensor(image)], torch.tensor([[flip, rotation]]), SIZE)[0] * 127.5 + 127.5
        assert ((found - tensor(expected)).abs().amax(0) > 3).float().mean() < 0.06, "more than the rotated border"


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 500), st.integers(1, 500), st.integers(0, 2**31 - 1))
def test_crop_boxes_lie_inside(height: int, width: int, seed: int) -> None:
    draws = torch.rand(50, 2 * CROP_ATTEMPTS + 2, generator=torch.Generator().manual_seed(seed))
    top, left, box_height, box_width = crop_boxes(torch.tensor([[height, width]] * 50), draws).unbind(1)
    assert (top >= 0).all() and (left >= 0).all() and (box_height >= 1).all() and (box_width >= 1).all()
    assert (top + box_height <= height).all() and (left + box_width <= width).all()


def test_crops_have_the_specified_areas_and_ratios() -> None:
    draws = torch.rand(4000, 2 * CROP_ATTEMPTS + 2, generator=torch.Generator().manual_seed(0))
    _, _, height, width = crop_boxes(torch.tensor([[400, 400]] * 4000), draws).double().unbind(1)
    area, ratio = height * width / 400**2, width / height
    assert 0.695 < area.min() < 0.71 and 0.97 < area.max() <= 1.0
    assert 0.74 < ratio.min() and ratio.max() < 1.36 and abs(ratio.log().mean()) < 0.01
    _, left, height, width = crop_boxes(torch.tensor([[100, 400]] * 9), draws[:9]).unbind(1)
    assert (height == 100).all() and (width == 133).all() and (left == 134).all()


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_view_does_not_depend_on_the_batch(name: str) -> None:
    one = AUGMENTATIONS[name]
    images = [tensor(photo(40 + seed, 50 - seed, seed)) for seed in range(6)]
    draws = torch.rand(6, one.draws, generator=torch.Generator().manual_seed(1))
    together = one.apply(images, draws, SIZE)
    alone = torch.cat([one.apply([image], row[None], SIZE) for image, row in zip(images, draws, strict=True)])
    assert together.shape == (6, 3, SIZE, SIZE) and together.dtype == torch.float32
    assert together.min() >= -1 and together.max() <= 1
    assert torch.allclose(together, alone, atol=1e-6)
    assert not torch.allclose(together, one.apply(images, 1 - draws, SIZE))


def test_decode_keeps_size_and_orientation(tmp_path: Path) -> None:
    image = photo(20, 30)
    exif = Image.Exif()
    exif[0x0112] = 6
    image.save(tmp_path / "sideways.png", exif=exif)
    pixels = decode(tmp_path / "sideways.png")
    assert pixels.dtype == torch.uint8 and pixels.shape == (3, 30, 20)
    assert torch.equal(pixels, tensor(image.rotate(-90, expand=True)))


def test_rotation_stays_within_15_degrees() -> None:
    """A dot to the right of the middle moves along a circle."""
    image = torch.zeros(3, 101, 101, dtype=torch.uint8)
    image[:, 49:52, 89:92] = 255
    draws = torch.full((1, AUGMENTATIONS["standard"].draws), 0.5)
    draws[0, :CROP_ATTEMPTS] = 1.0  # the whole image
    for rotation in (0.0, 1.0):
        draws[0, -2:] = torch.tensor([0.9, rotation])
        bright = standard([image], draws, 101)[0, 0] + 1
        rows, columns = torch.meshgrid(torch.arange(101.0) - 50, torch.arange(101.0) - 50, indexing="ij")
        angle = math.degrees(math.atan2((bright * rows).sum(), (bright * columns).sum()))
        assert abs(angle) == pytest.approx(15, abs=0.5)
