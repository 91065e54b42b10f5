"""Image files as pixels, and as features of a frozen backbone: of plain or of augmented views."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import torch
from torch import Tensor

from diagen.classifiers.augmentation import AUGMENTATIONS, decode, plain, resize
from diagen.errors import InputError
from diagen.models.backbones import Backbone, embed


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

        return _finite(embed(backbone, paths, prepare, micro_batch=micro_batch, device=device), paths)


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
        return _finite(found, paths)

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

        return _finite(embed(backbone, range(len(paths)), prepare, micro_batch=micro_batch, device=device), paths)


def _finite(features: Tensor, paths: Sequence[str | Path]) -> Tensor:
    """Return `features`, those of the image files `paths`. Raises `InputError` when one is not finite."""
    invalid = (~features.isfinite().all(1)).nonzero()[:, 0].tolist()
    if invalid:
        others = f" and {len(invalid) - 1} more images" if len(invalid) > 1 else ""
        raise InputError(
            f"models.backbone: the features of {paths[invalid[0]]}{others} are not finite, so the weights are damaged. "
            "Restore the files of `models.backbone`, or name another model"
        )
    return features
