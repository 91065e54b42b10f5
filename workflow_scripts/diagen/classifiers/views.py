"""Training views of images."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from diagen.classifiers import cutmix
from diagen.classifiers.augmentation import AUGMENTATIONS
from diagen.classifiers.recipe import Recipe


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
