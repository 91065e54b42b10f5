"""Layouts of folders of photos, found by the names of folders."""

import os
from pathlib import Path

import pytest

from diagen.errors import InputError
from diagen.experiments.layout import find_layout
from tests.unit.experiments.photos import write_photos


def photos(folder: Path, number: int = 1) -> None:
    """Write small photos into a folder."""
    write_photos(folder, {".": number})


def keys(root: Path) -> dict[str, object]:
    """The keys of the dataset block of the layout, without the root."""
    values = find_layout(root).dataset.model_dump(exclude_defaults=True)
    assert Path(str(values.pop("root"))).is_relative_to(root)
    return values


@pytest.mark.parametrize(
    ("folders", "expected"),
    [
        (("train-val", "test"), {}),
        (("train-val", "test", "test_uncommon"), {}),
        (("train", "test"), {"train_val": "train"}),
        (("Train", "Valid", "TEST"), {"train_val": "Train", "val": "Valid", "test": "TEST"}),
        (("training", "validation", "testing"), {"train_val": "training", "val": "validation", "test": "testing"}),
        (("train", "val"), {"train_val": "train", "test": "val"}),
        (("train_val", "test", "test-uncommon"), {"train_val": "train_val", "test_uncommon": "test-uncommon"}),
        (("train-val", "train", "test"), {}),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_split_folders_under_common_names(tmp_path: Path, folders: tuple[str, ...], expected: dict[str, str]) -> None:
    for split in folders:
        for name in ("cat", "dog"):
            photos(tmp_path / split / name)
    assert keys(tmp_path) == {"adapter": "image_folder", **expected}


def test_class_folders_have_no_test_photos(tmp_path: Path) -> None:
    for name in ("cat", "dog"):
        photos(tmp_path / name)
    photos(tmp_path)
    layout = find_layout(tmp_path)
    assert keys(tmp_path) == {"adapter": "image_folder", "test": None}
    assert layout.notes == ["passed over 1 photo beside the class folders: 0.jpg"]


def test_a_class_may_have_the_name_of_a_split(tmp_path: Path) -> None:
    for name in ("train", "bus"):
        photos(tmp_path / name)
    assert keys(tmp_path) == {"adapter": "image_folder", "test": None}
    assert find_layout(tmp_path).dataset.root == tmp_path.as_posix()


def test_train_photos_alone_are_class_folders(tmp_path: Path) -> None:
    for name in ("cat", "dog"):
        photos(tmp_path / "train" / name)
    photos(tmp_path / "other" / "cat")
    layout = find_layout(tmp_path)
    assert layout.dataset.root == (tmp_path / "train").as_posix() and layout.dataset.test is None
    assert layout.notes == ["passed over the folders beside the splits: other"]


def test_the_only_folder_of_an_archive_is_entered(tmp_path: Path) -> None:
    for split in ("train", "test"):
        photos(tmp_path / "pets-v2" / "pets" / split / "cat")
    (tmp_path / "__MACOSX").mkdir()
    layout = find_layout(tmp_path)
    assert layout.dataset.root == (tmp_path / "pets-v2/pets").as_posix()
    assert keys(tmp_path) == {"adapter": "image_folder", "train_val": "train"}


def test_public_datasets_as_downloaded(tmp_path: Path) -> None:
    for part in ("train2017", "val2017", "annotations"):
        (tmp_path / "coco" / part).mkdir(parents=True)
    (tmp_path / "focus" / "truck-snow").mkdir(parents=True)
    (tmp_path / "focus" / "annotations.db").write_bytes(b"")
    for split in ("train-val", "test", "test_uncommon_context"):
        photos(tmp_path / "custom" / split / "cup")
    found = {name: keys(tmp_path / name) for name in ("coco", "focus", "custom")}
    assert found == {"coco": {"adapter": "coco"}, "focus": {"adapter": "focus"}, "custom": {"adapter": "custom_coco"}}


def test_folders_that_are_no_dataset_come_with_a_remedy(tmp_path: Path) -> None:
    photos(tmp_path / "flat", 3)
    photos(tmp_path / "tests only" / "test" / "cat")
    (tmp_path / "empty").mkdir()
    (tmp_path / "file.jpg").write_bytes(b"")
    os.symlink(tmp_path / "loop", tmp_path / "loop")
    expected = {
        "flat": "3 photos, but no class folders; move the photos of each class into a folder with its name: mkdir ",
        "tests only": "has `test`, but no folder of photos to learn from; name it `train-val`",
        "empty": "holds no photos; put those of each class into a folder with its name: mkdir ",
        "file.jpg": "a file, not a folder",
        "nothing": "no such folder; name a folder of photos",
        "loop": "no such folder",
        "new\nline": "the path contains control characters",
    }
    for name, message in expected.items():
        with pytest.raises(InputError) as error:
            find_layout(tmp_path / name)
        assert message in str(error.value) and str(tmp_path) in str(error.value)
