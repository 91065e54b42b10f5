"""Training views of images, and features that are recomputed or of augmented views."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from diagen.classifiers import cutmix
from diagen.classifiers.augmentation import AUGMENTATIONS, decode, plain, resize
from diagen.classifiers.recipe import Recipe
from diagen.models.backbones import Backbone, embed


def epoch_views(
    images: Sequence[Tensor],
    labels: Tensor,
    rows: NDArray[np.int64],
    n_classes: int,
    recipe: Recipe,
    generators: dict[str, torch.Generator],
) -> tuple[Callable[[Sequence[int]], Tensor], Tensor]:
    """The training views of an epoch whose draws are the images `rows` `[n]` of `images` (uint8 `[3, H, W]`).

    Returns a function that maps indices of draws to their views `[B, 3, S, S]`, so that views are computed batch by
    batch, and the targets of all draws: labels `[n]`, or class probabilities `[n, C]` for CutMix. Keys of
    `generators`: `augmentation`, `cutmix`.
    """
    augmentation = AUGMENTATIONS[recipe.augmentation]
    draws = torch.rand(len(rows), augmentation.draws, generator=generators["augmentation"])
    targets = labels[torch.from_numpy(rows)]

    def views(numbers: Sequence[int]) -> Tensor:
        return augmentation.apply([images[rows[number]] for number in numbers], draws[list(numbers)], recipe.image_size)

    if recipe.augmentation != "cutmix":
        return views, targets
    shape = (recipe.iterations, cutmix.draws_per_batch(recipe.batch))
    mixed = cutmix.mix(torch.rand(shape, generator=generators["cutmix"], dtype=torch.float64), recipe.image_size)

    def mixed_views(numbers: Sequence[int]) -> Tensor:
        chosen = list(numbers)
        return cutmix.paste(views(chosen), views(mixed.partners[chosen].tolist()), mixed.boxes[chosen])

    return mixed_views, cutmix.mixed_labels(targets, mixed, n_classes)


def repeatable_features(
    backbone: Backbone, paths: Sequence[str | Path], *, size: int, micro_batch: int, device: torch.device
) -> Callable[[], Tensor]:
    """A function that computes features `[n, D]` of the plain views with the current state of the backbone.

    The files are read once and kept in memory as resized pixels.
    """
    with ThreadPoolExecutor(torch.get_num_threads()) as pool:
        images = list(pool.map(lambda path: resize(decode(path), size), paths))

    def features() -> Tensor:
        return embed(backbone, images, lambda batch: plain(batch, size), micro_batch=micro_batch, device=device)

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
    """Features `[n, D]` of one randomly augmented view of each image file; `seeds` `[n]` seed the views."""
    transform = AUGMENTATIONS[augmentation]

    def draw(number: int) -> Tensor:
        return torch.rand(transform.draws, generator=torch.Generator().manual_seed(seeds[number]))

    with ThreadPoolExecutor(torch.get_num_threads()) as pool:

        def prepare(numbers: Sequence[int]) -> Tensor:
            images = list(pool.map(lambda number: decode(paths[number]), numbers))
            return transform.apply(images, torch.stack([draw(number) for number in numbers]), size)

        return embed(backbone, range(len(paths)), prepare, micro_batch=micro_batch, device=device)
