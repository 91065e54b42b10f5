"""Which changes of a folder of photos are noticed without opening one."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from diagen.config import Coco, Focus, ImageFolder
from diagen.photo_list import photo_list_checksum


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for split in ("train-val", "test"):
        for label in ("cup", "car"):
            for number in range(2):
                path = tmp_path / "photos" / split / label / f"{number}.jpg"
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(b"photo %d" % number)
    return tmp_path / "photos"


def folder(root: Path, **keys: object) -> ImageFolder:
    return ImageFolder(adapter="image_folder", root=str(root), **keys)


CHANGES: dict[str, Callable[[Path], object]] = {
    "added": lambda root: (root / "train-val/cup/2.jpg").write_bytes(b"photo 2"),
    "added to test": lambda root: (root / "test/cup/2.jpg").write_bytes(b"photo 2"),
    "removed": lambda root: (root / "test/car/0.jpg").unlink(),
    "renamed": lambda root: (root / "train-val/cup/1.jpg").rename(root / "train-val/cup/one.jpg"),
    "moved to another class": lambda root: (root / "test/cup/0.jpg").rename(root / "test/car/5.jpg"),
    "replaced by a larger one": lambda root: (root / "train-val/cup/1.jpg").write_bytes(b"another photo"),
    "replaced by a link to nothing": lambda root: (
        (root / "train-val/cup/1.jpg").unlink(),
        (root / "train-val/cup/1.jpg").symlink_to("nowhere.jpg"),
    ),
    "name that is no UTF-8": lambda root: Path(os.fsdecode(os.fsencode(root / "test/cup") + b"/caf\xe9.jpg")).touch(),
    "whole class removed": lambda root: [path.unlink() for path in root.rglob("car/*")],
}


@pytest.mark.parametrize("change", CHANGES)
def test_changes(root: Path, change: str) -> None:
    before = photo_list_checksum(folder(root))
    CHANGES[change](root)
    if change == "name that is no UTF-8":  # told by index_dataset, and no photo of the dataset
        assert photo_list_checksum(folder(root)) == before
    else:
        assert photo_list_checksum(folder(root)) != before


def test_what_is_no_photo_of_the_dataset_changes_nothing(root: Path, tmp_path: Path) -> None:
    before = photo_list_checksum(folder(root, classes=("cup",)))
    (root / "train-val/car/9.jpg").touch()  # of a class that isn't wanted
    (root / "results").mkdir()  # where the working directory is the root
    (root / "results/images.csv").touch()
    (root / "test/cup/.DS_Store").touch()
    os.utime(root / "test/cup/0.jpg", (0, 0))
    assert photo_list_checksum(folder(root, classes=("cup",))) == before
    root.rename(tmp_path / "elsewhere")
    assert photo_list_checksum(folder(tmp_path / "elsewhere", classes=("cup",))) == before


def test_coco_is_its_annotations(tmp_path: Path) -> None:
    dataset = Coco(adapter="coco", root=str(tmp_path))
    (tmp_path / "train2017").mkdir()
    (tmp_path / "annotations").mkdir()
    (tmp_path / "annotations/instances_val2017.json").write_text("{}")
    before = photo_list_checksum(dataset)
    (tmp_path / "train2017/1.jpg").touch()
    assert photo_list_checksum(dataset) == before
    (tmp_path / "annotations/instances_val2017.json").write_text('{"images": []}')
    assert photo_list_checksum(dataset) != before


def test_a_dataset_that_isnt_there_is_told_elsewhere(tmp_path: Path) -> None:
    for dataset in (folder(tmp_path / "none"), Focus(adapter="focus", root=str(tmp_path / "none"))):
        assert len(photo_list_checksum(dataset)) == 64
