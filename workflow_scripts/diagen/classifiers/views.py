"""Training views of images, computed on the CPU or, batch by batch, on a CUDA GPU that then need not wait for them."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from diagen.classifiers import cutmix
from diagen.classifiers.augmentation import AUGMENTATIONS
from diagen.classifiers.recipe import Recipe

RESIDENT_SHARE = 0.25
"""Share of a GPU's free memory that decoded images may fill; batches, their views and other jobs need the rest."""


def place_images(images: Sequence[Tensor], device: torch.device) -> list[Tensor]:
    """Put decoded images (uint8 `[3, H, W]`, CPU) where `epoch_views` reads them for a backbone on `device`.

    That is the memory of a CUDA GPU, or pinned memory of the host if they need more than `RESIDENT_SHARE` of what is
    free. For other devices they stay where they are: only CUDA has all operations of the augmentations.
    """
    if device.type != "cuda":
        return list(images)
    free, _ = torch.cuda.mem_get_info(device)
    if sum(image.nbytes for image in images) <= RESIDENT_SHARE * free:
        return [image.to(device) for image in images]
    return [image.pin_memory() for image in images]


def epoch_views(
    images: Sequence[Tensor],
    labels: Tensor,
    rows: NDArray[np.int64],
    n_classes: int,
    recipe: Recipe,
    generators: dict[str, torch.Generator],
    device: torch.device,
) -> tuple[Callable[[Sequence[int]], Tensor], Tensor]:
    """The training views of an epoch whose draws are the images `rows` `[n]` of `images`, from `place_images`.

    Returns a function that maps indices of draws to their views `[B, 3, S, S]`, so that views are computed batch by
    batch, and the targets of all draws: labels `[n]`, or class probabilities `[n, C]` for CutMix. Keys of
    `generators`: `augmentation`, `cutmix`; they are on the CPU, so that all devices see the same random numbers.
    """
    augmentation = AUGMENTATIONS[recipe.augmentation]
    draws = torch.rand(len(rows), augmentation.draws, generator=generators["augmentation"])
    targets = labels[torch.from_numpy(rows)]
    drawn = [images[row] for row in rows]
    copies = _CopiesAhead(drawn, device) if device.type == "cuda" and not images[0].is_cuda else None

    def views(numbers: Sequence[int]) -> Tensor:
        batch = copies.batch(numbers) if copies else [drawn[number] for number in numbers]
        return augmentation.apply(batch, draws[list(numbers)], recipe.image_size)

    if recipe.augmentation != "cutmix":
        return views, targets
    shape = (recipe.iterations, cutmix.draws_per_batch(recipe.batch))
    mixed = cutmix.mix(torch.rand(shape, generator=generators["cutmix"], dtype=torch.float64), recipe.image_size)

    def mixed_views(numbers: Sequence[int]) -> Tensor:
        chosen = list(numbers)
        return cutmix.paste(views(numbers), views(mixed.partners[chosen].tolist()), mixed.boxes[chosen])

    return mixed_views, cutmix.mixed_labels(targets, mixed, n_classes)


class _CopiesAhead:
    """Copies batches of images from pinned memory to a GPU; of successive ones, each during the work on the last."""

    def __init__(self, images: Sequence[Tensor], device: torch.device) -> None:
        self.images, self.device = images, device
        self.stream = torch.cuda.Stream(device)
        self.expected, self.copied = range(0), list[Tensor]()

    def batch(self, numbers: Sequence[int]) -> list[Tensor]:
        """The images `numbers` on the GPU."""
        copied = self.copied if numbers == self.expected else self._copy(numbers)
        current = torch.cuda.current_stream(self.device)
        current.wait_stream(self.stream)
        for image in copied:
            image.record_stream(current)
        if isinstance(numbers, range):
            self.expected = range(numbers.stop, min(numbers.stop + len(numbers), len(self.images)))
            self.copied = self._copy(self.expected)
        return copied

    def _copy(self, numbers: Sequence[int]) -> list[Tensor]:
        with torch.cuda.stream(self.stream):
            return [self.images[number].to(self.device, non_blocking=True) for number in numbers]
