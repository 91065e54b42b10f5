"""Image folders without split folders or with a split table, and Custom COCO as downloaded."""

import unicodedata
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pydantic import ValidationError

from diagen.config import CustomCoco, ImageFolder
from diagen.data.images_file import ImageRow
from diagen.data.index import index_dataset
from diagen.errors import InputError

PHOTOS = Path(__file__).parents[4] / "shared/data/custom_coco_mini"


def save(path: Path, seed: int = 0, mode: str = "RGB") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.RandomState(seed).randint(0, 256, (4, 6, 3), dtype=np.uint8)
    Image.fromarray(pixels).convert(mode).save(path)


def flat_folder(root: Path, sizes: dict[str, int]) -> None:
    for seed, (name, size) in enumerate(sizes.items()):
        for number in range(size):
            save(root / name / f"{number}.png", 100 * seed + number)


def flat(root: Path, **keys: object) -> ImageFolder:
    return ImageFolder(adapter="image_folder", root=str(root), **{"test_per_class": 3, **keys})


def counts(rows: list[ImageRow]) -> Counter:
    return Counter((row.split, row.class_name) for row in rows)


def complaint(dataset: ImageFolder, shots: int = 0) -> str:
    with pytest.raises(InputError) as caught:
        index_dataset(dataset, shots)
    return str(caught.value)


# ---------------------------------------------------------------- without split folders


def test_class_folders_are_split_by_seed(tmp_path: Path) -> None:
    flat_folder(tmp_path, {"cup": 10, "wine glass": 7})
    (tmp_path / "README.txt").write_text("no class")
    rows = index_dataset(flat(tmp_path)).images
    assert counts(rows) == {
        ("train_val", "cup"): 7,
        ("test", "cup"): 3,
        ("train_val", "wine_glass"): 4,
        ("test", "wine_glass"): 3,
    }
    again = index_dataset(flat(tmp_path)).images
    assert again == rows
    assert index_dataset(flat(tmp_path, split_seed=1)).images != rows


def test_the_draw_depends_only_on_names_below_the_root(tmp_path: Path) -> None:
    def tests(root: Path, sizes: dict[str, int]) -> set[str]:
        flat_folder(root, sizes)
        rows = index_dataset(flat(root)).images
        return {Path(row.path).name for row in rows if (row.split, row.class_name) == ("test", "cup")}

    here = tests(tmp_path / "a", {"cup": 10, "mug": 5})
    elsewhere = tests(tmp_path / "b" / "c", {"bench": 4, "cup": 10})
    assert here == elsewhere == {"1.png", "4.png", "9.png"}


def test_each_image_is_tested_for_some_seed(tmp_path: Path) -> None:
    flat_folder(tmp_path, {"cup": 6, "mug": 6})
    tested = {
        row.path
        for seed in range(20)
        for row in index_dataset(flat(tmp_path, split_seed=seed)).images
        if row.split == "test"
    }
    assert len(tested) == 12


def test_a_class_without_images_for_shots_is_reported(tmp_path: Path) -> None:
    flat_folder(tmp_path, {"cup": 10, "mug": 3})
    text = complaint(flat(tmp_path))
    assert "mug: 3 images, so `test_per_class: 3` leaves none" in text and "cup" not in text


def test_missing_split_folders_suggest_test_per_class(tmp_path: Path) -> None:
    flat_folder(tmp_path, {"cup": 10, "mug": 4})
    text = complaint(ImageFolder(adapter="image_folder", root=str(tmp_path)))
    assert "train-val: no such folder" in text and "`test_per_class`" in text


def test_split_folders_read_as_classes_are_reported(tmp_path: Path) -> None:
    save(tmp_path / "train-val" / "cup" / "a.png")
    assert "folder inside a class folder" in complaint(flat(tmp_path))


# ---------------------------------------------------------------- validation folder


def test_a_folder_of_validation_images(tmp_path: Path) -> None:
    for split in ("train", "val", "test"):
        flat_folder(tmp_path / split, {"cup": 2, "mug": 2})
    dataset = ImageFolder(adapter="image_folder", root=str(tmp_path), train_val="train", val="val")
    assert set(counts(index_dataset(dataset, shots=2).images).values()) == {2}
    assert {row.split for row in index_dataset(dataset).images} == {"train_val", "val", "test"}
    assert "3 shots need 3" in complaint(dataset, shots=3)


# ---------------------------------------------------------------- split table


def table(root: Path, text: str, **keys: object) -> ImageFolder:
    file = root / "splits.csv"
    file.write_text(text, encoding="utf-8")
    return ImageFolder(adapter="image_folder", root=str(root), split_table=str(file), **keys)


def test_a_table_decides_split_and_class(tmp_path: Path) -> None:
    for number in range(6):
        save(tmp_path / "all" / f"photo {number}, [x].png", number)
    save(tmp_path / "all" / "unlisted.png")
    rows = "".join(
        f'"all/photo {number}, [x].png",{split},{name}\n'
        for number, (split, name) in enumerate(
            [("train_val", "cup"), ("train_val", "wine glass"), ("val", "cup"), ("test", "cup")]
            + [("test", "wine glass"), ("test_uncommon", "cup")]
        )
    )
    found = index_dataset(table(tmp_path, "\ufeffpath,split,class\n" + rows)).images
    assert counts(found) == {
        ("train_val", "cup"): 1,
        ("train_val", "wine_glass"): 1,
        ("val", "cup"): 1,
        ("test", "cup"): 1,
        ("test", "wine_glass"): 1,
        ("test_uncommon", "cup"): 1,
    }


def test_the_folder_is_the_default_class(tmp_path: Path) -> None:
    flat_folder(tmp_path, {"cup": 2, "mug": 2})
    text = "split,path\ntrain_val,cup/0.png\ntest,cup/1.png\ntrain_val,mug/0.png\ntest,mug/1.png\n"
    assert set(counts(index_dataset(table(tmp_path, text)).images)) == {
        (split, name) for split in ("train_val", "test") for name in ("cup", "mug")
    }
    flat_folder(tmp_path, {"pan": 2})
    more = text + "train_val,pan/0.png\ntest,pan/1.png\n"
    two = index_dataset(table(tmp_path, more, classes=("mug", "pan"))).images
    assert {row.class_name for row in two} == {"mug", "pan"}
    assert f"`classes`: `boat` is not in `{tmp_path}/splits.csv`" in complaint(
        table(tmp_path, text, classes=("mug", "boat"))
    )


def test_all_problems_of_a_table_are_reported_together(tmp_path: Path) -> None:
    flat_folder(tmp_path / "in", {"cup": 3, "mug": 2})
    save(tmp_path / "in" / "loose.png")
    save(tmp_path / "out.png")
    lines = [
        "cup/0.png,train_val,cup",
        "cup/0.png,test,cup",
        "cup/9.png,test,cup",
        "cup/1.png,training,cup",
        "../out.png,test,cup",
        f"{tmp_path}/out.png,test,cup",
        "mug/0.png,train_val,Cup",
        "mug/1.png,train_val,cup\u200b",
        "loose.png,train_val,",
        "x" * 300 + ".png,test,cup",
    ]
    text = complaint(table(tmp_path / "in", "path,split,class\n" + "\n".join(lines) + "\n"))
    for part in (
        "row 3: `cup/0.png` is already listed",
        "row 4: no such file",
        "row 5: unknown split `training`",
        "row 6: `../out.png` is not a path below",
        "row 7: `/",
        "differ only in case",
        "the class name contains the character '\\u200b'",
        "row 10: `loose.png` has no class",
        "row 11: no such file",
    ):
        assert part in text, part


@pytest.mark.parametrize(
    ("content", "part"),
    [(b"path,class\n", "lacks the column split"), (b"", "lacks the column path and split"), (b"\xff\xfe", "UTF-8")],
)
def test_a_file_that_is_not_a_table_is_reported(tmp_path: Path, content: bytes, part: str) -> None:
    (tmp_path / "splits.csv").write_bytes(content)
    dataset = ImageFolder(adapter="image_folder", root=str(tmp_path), split_table=str(tmp_path / "splits.csv"))
    assert part in complaint(dataset)


@pytest.mark.parametrize(
    ("keys", "part"),
    [
        ({"split_table": "a.csv", "test_per_class": 3}, "remove one"),
        ({"test_per_class": 3, "test": "tests", "val": "val"}, "remove `val` and `test`"),
        ({"split_table": "a.csv", "test_uncommon": None}, "remove `test_uncommon`"),
    ],
)
def test_layouts_exclude_each_other(keys: dict, part: str) -> None:
    with pytest.raises(ValidationError, match=part):
        ImageFolder(adapter="image_folder", root="photos", **keys)


# ---------------------------------------------------------------- Custom COCO


def draw_uncommon(root: Path, classes: list[str]) -> None:
    for number, name in enumerate(classes):
        save(root / "test_uncommon_context" / name / f"{name} (1) (Large).png", number, "RGBA")


def test_custom_coco_with_its_uncommon_settings(tmp_path: Path) -> None:
    for split in ("train-val", "test"):
        flat_folder(tmp_path / split, {"cup": 3, "cell_phone": 3})
    dataset = CustomCoco(adapter="custom_coco", root=str(tmp_path))
    assert {row.split for row in index_dataset(dataset).images} == {"train_val", "test"}
    draw_uncommon(tmp_path, ["cup", "cell_phone"])
    assert counts(index_dataset(dataset, shots=2).images)["test_uncommon", "cell_phone"] == 1
    draw_uncommon(tmp_path, ["boat"])
    assert "boat: this class has no folder in" in complaint(dataset)


@pytest.mark.skipif(not PHOTOS.is_dir(), reason="the photos of Custom COCO are missing")
def test_the_real_photos_of_custom_coco(tmp_path: Path) -> None:
    for split in ("train-val", "test"):
        for source in (PHOTOS / split).glob("*/*.jpg"):
            target = tmp_path / split / source.parent.name / source.name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(source.read_bytes())
    classes = sorted(path.name for path in (PHOTOS / "test").iterdir())
    draw_uncommon(tmp_path, classes)
    rows = index_dataset(CustomCoco(adapter="custom_coco", root=str(tmp_path)), shots=8).images
    found = counts(rows)
    assert all(
        (found["train_val", name], found["test", name], found["test_uncommon", name]) == (14, 8, 1) for name in classes
    )
    assert "14 shots need 15" in complaint(CustomCoco(adapter="custom_coco", root=str(tmp_path)), shots=14)


@pytest.mark.skipif(not PHOTOS.is_dir(), reason="the photos of Custom COCO are missing")
def test_the_real_photos_without_split_folders() -> None:
    dataset = flat(PHOTOS / "train-val", test_per_class=4)
    assert set(counts(index_dataset(dataset, shots=8).images).values()) == {10, 4}


def test_unicode_class_names_are_one_class_however_they_are_composed(tmp_path: Path) -> None:
    for form, split in (("NFC", "train-val"), ("NFD", "test")):
        flat_folder(tmp_path / split, {unicodedata.normalize(form, "café (noir)"): 2, "mug": 2})
    rows = index_dataset(ImageFolder(adapter="image_folder", root=str(tmp_path))).images
    assert {row.class_name for row in rows} == {"café_(noir)", "mug"}
