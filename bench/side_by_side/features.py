"""Features of images: batches with files read in threads, beside one image at a time."""

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn

from bench.side_by_side.material import CPU, FEATURES, MICRO_BATCH, SIDE, Workplace, photos
from bench.side_by_side.measure import Stage
from diagen.diversity.features import image_features
from diagen.models.backbones import load_feature_extractor

MEAN, DEVIATION = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])


def pixels_of(path: Path) -> Tensor:
    """Read an image as DINOv2 expects it, float32 [1, 3, size, size]."""
    with Image.open(path) as file:
        image = file.convert("RGB").resize((SIDE, SIDE), Image.Resampling.BICUBIC)
    pixels = torch.from_numpy(np.asarray(image, dtype=np.float32) / 255)
    return ((pixels - MEAN) / DEVIATION).permute(2, 0, 1)[None]


@torch.no_grad()
def one_by_one(extractor: nn.Module, paths: list[Path]) -> NDArray[np.float32]:
    """Features [n, D] of the images, each in a pass of its own."""
    return np.concatenate([extractor(pixels_of(path)).numpy() for path in paths])


def stage(place: Workplace) -> Stage:
    """Images of 512 pixels, as Stable Diffusion makes them, at the 64 pixels of the demo's DINOv2."""
    paths = [photo.path for photo in photos(place.new_folder(), place.size(8, 2), place.size(32, 3), side=512)]
    extractor = load_feature_extractor(FEATURES, CPU)

    def ours() -> NDArray[np.float32]:
        return image_features(extractor, paths, size=SIDE, micro_batch=MICRO_BATCH, device=CPU)

    @torch.no_grad()
    def floor() -> None:
        images = torch.zeros(MICRO_BATCH, 3, SIDE, SIDE)
        for _ in range(0, len(paths), MICRO_BATCH):
            extractor(images)

    return Stage(
        name="features",
        work=f"{len(paths)} images",
        plain=lambda: one_by_one(extractor, paths),
        ours=ours,
        floor=floor,
        difference=lambda one, other: float(np.abs(one - other).max() / np.abs(one).max()),
        tolerance=1e-4,
        unit="of the largest value",
    )
