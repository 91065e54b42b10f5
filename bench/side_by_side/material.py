"""Models, photos and folders that the stages share."""

import hashlib
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from PIL import Image

from demo.training.architectures import MODELS
from demo.world.draw_dataset import draw_photos
from demo.world.scenes import CLASSES
from diagen.cells import Cell
from diagen.config import DiffusionModel
from diagen.config.models import BackboneModel, FeatureModel

SEED = 7  # of the drawn photos
CELL = Cell("world", 0, 4)
CPU = torch.device("cpu")
SIDE = 64  # edge in pixels of the images of the demo's models
MICRO_BATCH = 16  # the default of `execution.micro_batch`

DIFFUSION = DiffusionModel(path=str(MODELS / "stable_diffusion"), image_size=SIDE, sha256="0" * 64)
BACKBONE = BackboneModel(path=str(MODELS / "resnet"))
FEATURES = FeatureModel(path=str(MODELS / "dinov2"), entry_point="dinov2_demo", image_size=SIDE)


@dataclass(frozen=True)
class Photo:
    """An image file, its class and the SHA-256 of its bytes."""

    class_name: str
    path: Path
    sha256: str


@dataclass(frozen=True)
class Workplace:
    """A temporary folder, and whether the stages are as small as a test of the program allows."""

    folder: Path
    small: bool

    def size(self, full: int, small: int) -> int:
        """One of two sizes of a stage."""
        return small if self.small else full

    def new_folder(self) -> Path:
        """A folder that is empty."""
        return Path(tempfile.mkdtemp(dir=self.folder))


def photos(folder: Path, classes: int, per_class: int, split: str = "train-val", side: int = SIDE) -> list[Photo]:
    """Draw photos of the demo's world as PNG files with an edge of `side` pixels, class by class."""
    drawn = draw_photos(SEED, list(CLASSES[:classes]), split, per_class)
    return [
        _write(folder / split / name / f"{number}.png", name, image.resize((side, side), Image.Resampling.BICUBIC))
        for name, images in drawn.items()
        for number, image in enumerate(images)
    ]


def _write(path: Path, class_name: str, image: Image.Image) -> Photo:
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path)
    return Photo(class_name, path, hashlib.sha256(path.read_bytes()).hexdigest())


def by_class(photos: Sequence[Photo]) -> dict[str, list[Photo]]:
    """The photos of each class, sorted by its name."""
    return {name: [one for one in photos if one.class_name == name] for name in sorted({p.class_name for p in photos})}
