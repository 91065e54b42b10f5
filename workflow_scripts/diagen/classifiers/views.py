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
    free for this process. For other devices they stay where they are: only CUDA has all operations of augmentations.
    """
    if device.type != "cuda":
        return list(images)
    free, total = torch.cuda.mem_get_info(device)
    of_process = torch.cuda.get_per_process_memory_fraction(device.index) * total  # less than all if jobs share the GPU
    if sum(image.nbytes for image in images) <= RESIDENT_SHARE * min(free, of_process):
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
    stream = torch.cuda.Stream(device) if device.type == "cuda" and not images[0].is_cuda else None

    def views(numbers: Sequence[int]) -> Tensor:
        batch = [images[rows[number]] for number in numbers]
        if stream:
            batch = _copied(batch, device, stream)
        return augmentation.apply(batch, draws[list(numbers)], recipe.image_size)

    if recipe.augmentation != "cutmix":
        return views, targets
    shape = (recipe.iterations, cutmix.draws_per_batch(recipe.batch))
    mixed = cutmix.mix(torch.rand(shape, generator=generators["cutmix"], dtype=torch.float64), recipe.image_size)

    def mixed_views(numbers: Sequence[int]) -> Tensor:
        chosen = list(numbers)
        return cutmix.paste(views(chosen), views(mixed.partners[chosen].tolist()), mixed.boxes[chosen])

    return mixed_views, cutmix.mixed_labels(targets, mixed, n_classes)


def _copied(images: Sequence[Tensor], device: torch.device, stream: torch.cuda.Stream) -> list[Tensor]:
    """Copy a batch from pinned memory to a GPU on a `stream` of its own, while the GPU works on the batches before."""
    with torch.cuda.stream(stream):
        copies = [image.to(device, non_blocking=True) for image in images]
    current = torch.cuda.current_stream(device)
    current.wait_stream(stream)
    for image in copies:
        image.record_stream(current)  # its memory is used again only after this work
    return copies
