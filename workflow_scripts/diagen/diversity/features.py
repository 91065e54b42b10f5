"""Features of images for measuring diversity: the class token of DINOv2 (Oquab et al. 2023; section 4)."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn

from diagen.errors import InputError, delete_and_rerun
from diagen.files.tables import read_rows
from diagen.images import load_image
from diagen.models.backbones import embed, require_finite

MEAN = (0.485, 0.456, 0.406)  # ImageNet statistics, with which DINOv2 was trained
STANDARD_DEVIATION = (0.229, 0.224, 0.225)


def listed_images(table: Path) -> list[str]:
    """The image files in `images.csv` (column `path`) or `manifest.csv` (column `file_name`), in the table's order.

    Raises `InputError` when the table is damaged, empty, or another one.
    """
    with open(table, encoding="utf-8", errors="replace") as file:
        header = file.readline().strip().split(",")
    column = "path" if "path" in header else "file_name"
    names = read_rows(table, [column], lambda values: values[column])
    if not names:
        raise InputError(f"{table}: the table lists no images. {delete_and_rerun(table)}")
    return names


def load_pixels(path: Path, size: int) -> Tensor:
    """Read an image file as uint8 `[3, size, size]`, with a bicubic resize."""
    image = load_image(path).resize((size, size), Image.Resampling.BICUBIC)
    return torch.from_numpy(np.array(image)).permute(2, 0, 1)


def normalize(pixels: Tensor) -> Tensor:
    """Convert images `[B, 3, H, W]` from uint8 to float32, normalized by ImageNet's mean and deviation."""
    return (pixels.float() / 255 - torch.tensor(MEAN)[:, None, None]) / torch.tensor(STANDARD_DEVIATION)[:, None, None]


def image_features(
    extractor: nn.Module, paths: Sequence[Path], *, size: int, micro_batch: int, device: torch.device
) -> NDArray[np.float32]:
    """Features `[n, D]`, float32, of the image files `paths`, in their order.

    Raises `ValueError` without paths, and `InputError` when a feature is not finite.
    """
    with ThreadPoolExecutor(torch.get_num_threads()) as pool:

        def prepare(batch: Sequence[Path]) -> Tensor:
            # Threads only decode: torch's operations use all of them already.
            return normalize(torch.stack(list(pool.map(lambda path: load_pixels(path, size), batch))))

        features = embed(extractor, paths, prepare, micro_batch=micro_batch, device=device, progress_label="features")
    return require_finite(features, paths, "features").numpy()
