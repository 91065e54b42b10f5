"""Image files as pixels, and as features of a frozen backbone: of plain or of augmented views."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import torch
from torch import Tensor

from diagen.classifiers.augmentation import AUGMENTATIONS, decode, plain, resize
from diagen.models.backbones import embed, require_finite
from diagen.models.classifier_body import Backbone


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
    seeds: Sequence[Sequence[int]],
    augmentation: str,
    *,
    size: int,
    micro_batch: int,
    device: torch.device,
) -> Tensor:
    """Features `[n, views, D]` of randomly augmented views of each image file; `seeds` `[n, views]` seed the views.

    The views of an image follow each other, so its file is read once per batch that has any of them. Raises
    `InputError` when a feature is not finite.
    """
    transform = AUGMENTATIONS[augmentation]
    views = [(path, seed) for path, own in zip(paths, seeds, strict=True) for seed in own]

    def draw(seed: int) -> Tensor:
        return torch.rand(transform.draws, generator=torch.Generator().manual_seed(seed))

    with ThreadPoolExecutor(torch.get_num_threads()) as pool:

        def prepare(batch: Sequence[tuple[str | Path, int]]) -> Tensor:
            files = list(dict.fromkeys(path for path, _ in batch))
            images = dict(zip(files, pool.map(decode, files), strict=True))
            draws = torch.stack([draw(seed) for _, seed in batch])
            return transform.apply([images[path] for path, _ in batch], draws, size)

        features = embed(backbone, views, prepare, micro_batch=micro_batch, device=device)
    by_image = require_finite(features.view(len(paths), -1), paths, "backbone")
    return by_image.view(len(paths), -1, features.shape[1])
