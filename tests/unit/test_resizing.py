"""Resizing many images at once compared with torch's kernel for one."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from diagen import resizing
from diagen.classifiers.augmentation import resize
from diagen.resizing import resize_together

sizes = st.integers(1, 70)


def noise(height: int, width: int, seed: int, *, levels: int = 256) -> torch.Tensor:
    """Independent values, of which few `levels` give sums at the limits; laid out as `decode` returns them."""
    values = np.random.RandomState(seed).randint(0, levels, (height, width, 3)) * (255 // (levels - 1))
    return torch.from_numpy(values.astype(np.uint8)).permute(2, 0, 1)


def one_by_one(images: list[torch.Tensor], size: int) -> torch.Tensor:
    return torch.stack([resize(image, size) for image in images]).float()


@settings(deadline=None, max_examples=150)
@given(sizes, st.lists(st.tuples(st.floats(0, 3), st.floats(0, 3)), min_size=1, max_size=4), st.integers(0, 2**31 - 1))
def test_same_bits_as_torchs_kernel(size: int, shapes: list[tuple[float, float]], seed: int) -> None:
    edges = [[max(1, int(ratio * size)) for ratio in shape] for shape in shapes]
    images = [noise(*shape, seed, levels=2 + 254 * (seed % 2)) for shape in edges]
    assert torch.equal(resize_together(images, size), one_by_one(images, size))


@settings(deadline=None, max_examples=30)
@given(st.integers(1, 40), st.integers(1, 600), st.integers(1, 600), st.integers(0, 2**31 - 1))
def test_at_most_a_level_in_rare_pixels_of_large_photos(size: int, height: int, width: int, seed: int) -> None:
    images = [noise(height, width, seed)]
    difference = (resize_together(images, size) - one_by_one(images, size)).abs()
    assert difference.max() <= 1 and difference.count_nonzero() <= 1 + 1e-3 * difference.numel()


@pytest.mark.parametrize("shape", [(24, 24), (9, 70), (1, 1)])
def test_flat_images_stay_flat(shape: tuple[int, int]) -> None:
    for level in (0, 1, 128, 254, 255):
        assert (resize_together([torch.full((3, *shape), level, dtype=torch.uint8)], 24) == level).all()


def test_large_photos_are_resized_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Parts bound the memory, and an image's pixels do not depend on the others."""
    images = [noise(20 + number, 40 - number, number) for number in range(7)]
    together = resize_together(images, 16)
    padded, zeros = [], torch.zeros
    monkeypatch.setattr(resizing, "MOST_PIXELS", 2000)
    monkeypatch.setattr(torch, "zeros", lambda *shape, **those: (padded.append(shape), zeros(*shape, **those))[1])
    assert torch.equal(resize_together(images, 16), together)
    assert [shape[0] for shape in padded] == [1, 2, 2, 2]
    assert all(count * height * width <= 2000 for count, height, _, width in padded)
