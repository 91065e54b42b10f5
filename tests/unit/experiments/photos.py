"""Folders of small photos for tests of surveys and of what is written for them."""

from collections.abc import Mapping
from pathlib import Path

from PIL import Image

from diagen.experiments.machine import Machine

SMALL = Machine(gpus=0, gpu="", gpu_gb=None, bfloat16=True, memory_gb=8.0, cores=2)
LARGE = Machine(gpus=1, gpu="NVIDIA A10", gpu_gb=24.0, bfloat16=True, memory_gb=64.0, cores=8)


def write_photos(root: Path, counts: Mapping[str, int]) -> Path:
    """Write so many photos into each folder below `root`."""
    for folder, number in counts.items():
        (root / folder).mkdir(parents=True, exist_ok=True)
        for count in range(number):
            Image.new("RGB", (8, 6), (count % 256, 90, 0)).save(root / folder / f"{count}.jpg")
    return root
