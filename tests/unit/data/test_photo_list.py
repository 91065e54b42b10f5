"""Changes of a folder of photos that are found without opening any."""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from diagen.config import ImageFolder
from diagen.data.images_file import write_images, write_skipped
from diagen.data.index import index_dataset
from diagen.data.photo_list import photos_changed


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Photos, one of them broken, with the tables of their index beside them."""
    root = tmp_path / "photos"
    for split in ("train-val", "test"):
        for label in ("cup", "car"):
            (root / split / label).mkdir(parents=True)
            for number in range(2):
                save(root / split / label / f"{number}.png")
    (root / "test/cup/broken.png").touch()
    index = index_dataset(folder(root))
    write_images(index.images, tmp_path / "images.csv")
    write_skipped(index.skipped, tmp_path / "skipped.csv")
    return root


def save(path: Path) -> None:
    Image.fromarray(np.zeros((4, 6, 3), np.uint8)).save(path)


def folder(root: Path) -> ImageFolder:
    return ImageFolder(adapter="image_folder", root=str(root), on_bad_image="skip")


def changes(root: Path) -> str | None:
    return photos_changed(folder(root), root.parent / "images.csv", root.parent / "skipped.csv")


CHANGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "added": (lambda root: save(root / "train-val/cup/2.png"), "has 1 more photo (such as {root}/train-val/cup/2.png)"),
    "removed": (
        lambda root: (root / "test/car/0.png").unlink(),
        "lacks 1 photo (such as {root}/test/car/0.png)",
    ),
    "renamed": (
        lambda root: (root / "train-val/cup/1.png").rename(root / "train-val/cup/one.png"),
        "has 1 more photo (such as {root}/train-val/cup/one.png) and "
        "lacks 1 photo (such as {root}/train-val/cup/1.png)",
    ),
    "name that is not UTF-8": (
        lambda root: Path(os.fsdecode(os.fsencode(root / "test/cup") + b"/caf\xe9.jpg")).touch(),
        "cannot be indexed as it is (",
    ),
    "folder in a class folder": (lambda root: (root / "test/cup/more").mkdir(), "cannot be indexed as it is ("),
    "new class in one split": (lambda root: (root / "test/dog").mkdir(), "cannot be indexed as it is ("),
    "all is gone": (
        lambda root: [path.unlink() for path in root.rglob("*.png")],
        "lacks 9 photos (such as {root}/test/car/0.png) and cannot be indexed as it is (",
    ),
}


@pytest.mark.parametrize("change", CHANGES)
def test_changes_are_described(root: Path, change: str) -> None:
    edit, expected = CHANGES[change]
    edit(root)
    assert (changes(root) or "").startswith(expected.format(root=root))


def test_other_files_are_no_change(root: Path) -> None:
    (root / "results").mkdir()  # where the working directory is the root
    (root / "results/images.csv").touch()
    (root / "test/cup/.DS_Store").touch()
    os.utime(root / "test/cup/0.png", (0, 0))
    assert changes(root) is None
