"""Image files as pixels, and as features of a frozen backbone: of plain or of augmented views."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import torch
from torch import Tensor

from diagen.classifiers.augmentation import AUGMENTATIONS, decode, plain, resize
from diagen.models.backbones import Backbone, embed, require_finite


def decode_all(paths: Sequence[str | Path]) -> list[Tensor]:
    """Read all images as uint8 `[3, H, W]` in their original size, in the order of `paths`."""
    with ThreadPoolExecutor(torch.get_num_threads()) as pool:
        return list(pool.map(decode, paths))


def plain_features(
    backbone: Backbone, paths: Sequence[str | Path], *, size: int, micro_batch: int, device: torch.device
) -> Tensor:
    """Features `[n, D]`, float32, of the plain views of image files.

    Raises `InputError` when a feature is not finite.
    """
    with ThreadPoolExecutor(torch.get_num_threads()) as pool:

        def prepare(batch: Sequence[str | Path]) -> Tensor:
            return plain(list(pool.map(decode, batch)), size)

        features = embed(backbone, paths, prepare, micro_batch=micro_batch, device=device)
        return require_finite(features, paths, "backbone")


def repeatable_features(
    backbone: Backbone, paths: Sequence[str | Path], *, size: int, micro_batch: int, device: torch.device
) -> Callable[[], Tensor]:
    """A function that computes features `[n, D]` of the plain views with the current state of the backbone.

    The files are read once and kept in memory as resized pixels. The function raises `InputError` when a feature is not
    finite.
    """
    with ThreadPoolExecutor(torch.get_num_threads()) as pool:
        images = list(pool.map(lambda path: resize(decode(path), size), paths))

    def features() -> Tensor:
        found = embed(backbone, images, lambda batch: plain(batch, size), micro_batch=micro_batch, device=device)
        return require_finite(found, paths, "backbone")

    return features


def augmented_features(
    backbone: Backbone,
    paths: Sequence[str | Path],
    seeds: Sequence[int],
    augmentation: str,
    *,
    size: int,
    micro_batch: int,
    device: torch.device,
) -> Tensor:
    """Features `[n, D]` of one randomly augmented view of each image file; `seeds` `[n]` seed the views.

    Raises `InputError` when a feature is not finite.
    """
    transform = AUGMENTATIONS[augmentation]

    def draw(number: int) -> Tensor:
        return torch.rand(transform.draws, generator=torch.Generator().manual_seed(seeds[number]))

    with ThreadPoolExecutor(torch.get_num_threads()) as pool:

        def prepare(numbers: Sequence[int]) -> Tensor:
            images = list(pool.map(lambda number: decode(paths[number]), numbers))
            return transform.apply(images, torch.stack([draw(number) for number in numbers]), size)

        features = embed(backbone, range(len(paths)), prepare, micro_batch=micro_batch, device=device)
        return require_finite(features, paths, "backbone")
