"""MS COCO 2017, drawn in its exact format: instances with crowds, several categories, images without annotations."""

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from diagen.config import Coco
from diagen.data.images_file import ImageRow, write_images
from diagen.data.index import index_dataset
from diagen.data.shots import draw_shots
from diagen.errors import InputError
from diagen.generation.manifest_file import ManifestRow, write_manifest

CATEGORIES = [
    {"supercategory": "kitchen", "id": 1, "name": "cup"},
    {"supercategory": "outdoor", "id": 90, "name": "fire hydrant"},
    {"supercategory": "animal", "id": 18, "name": "dog"},
    {"supercategory": "food", "id": 58, "name": "hot dog"},
]


def annotation(number: int, image: int, category: int, area: float, crowd: int = 0) -> dict:
    box = [0.0, 0.0, area, 1.0]
    shape = {"counts": [0, 24], "size": [4, 6]} if crowd else [[0.0, 0.0, area, 0.0, area, 1.0]]
    return {
        "segmentation": shape, "area": area, "iscrowd": crowd, "image_id": image, "bbox": box,
        "category_id": category, "id": number,
    }  # fmt: skip


def write_part(root: Path, part: str, images: list[int], annotations: list[dict]) -> None:
    (root / part).mkdir(parents=True, exist_ok=True)
    (root / "annotations").mkdir(exist_ok=True)
    for number in images:
        pixels = np.random.RandomState(number).randint(0, 256, (4, 6, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(root / part / f"{number:012d}.jpg")
    content = {
        "info": {"description": "COCO 2017 Dataset"},
        "licenses": [],
        "images": [{"id": number, "file_name": f"{number:012d}.jpg", "height": 4, "width": 6} for number in images],
        "annotations": annotations,
        "categories": CATEGORIES,
    }
    (root / "annotations" / f"instances_{part}.json").write_text(json.dumps(content))


@pytest.fixture
def coco(tmp_path: Path) -> Path:
    """A small COCO.

    Train: image 1 a cup beside a larger dog; 2 a hydrant in a larger crowd of dogs; 3 nothing; 4 only a crowd; 5 a tie;
    10 to 13 a cup each. Val: six cups, two dogs, one image without annotations.
    """
    train = [
        annotation(11, 1, 1, 2.0),
        annotation(12, 1, 18, 5.5),
        annotation(21, 2, 90, 3.0),
        annotation(900100002, 2, 18, 20.0, crowd=1),
        annotation(41, 4, 58, 4.0, crowd=1),
        annotation(52, 5, 18, 4.0),
        annotation(51, 5, 58, 4.0),
        *(annotation(100 + number, number, 1, 6.0) for number in range(10, 14)),
    ]
    write_part(tmp_path, "train2017", [1, 2, 3, 4, 5, 10, 11, 12, 13], train)
    val = [annotation(200 + number, number, 1, 6.0) for number in range(20, 26)]
    val += [annotation(200 + number, number, 18, 6.0) for number in (30, 31)]
    write_part(tmp_path, "val2017", [*range(20, 26), 30, 31, 39], val)
    return tmp_path


def block(root: Path, **keys: object) -> Coco:
    return Coco(adapter="coco", root=str(root), **keys)


def labels(dataset: Coco) -> dict[int, str]:
    return {int(Path(row.path).stem): row.class_name for row in index_dataset(dataset).images}


def cups(root: Path) -> list[ImageRow]:
    return [row for row in index_dataset(block(root)).images if row.class_name == "cup"]


def part(path: str) -> str:
    return Path(path).parent.name


def complaint(dataset: Coco, shots: int = 0) -> str:
    with pytest.raises(InputError) as caught:
        index_dataset(dataset, shots)
    return str(caught.value)


def test_the_largest_annotation_names_the_image(coco: Path) -> None:
    cups = dict.fromkeys([*range(10, 14), *range(20, 26)], "cup")
    rest = {1: "dog", 2: "fire_hydrant", 5: "hot_dog", 30: "dog", 31: "dog"}
    assert labels(block(coco)) == cups | rest
    assert labels(block(coco, crowds=True)) == cups | rest | {2: "dog", 4: "hot_dog"}


def test_val2017_validates_and_tests(coco: Path) -> None:
    rows = index_dataset(block(coco)).images
    assert Counter((row.class_name, row.split) for row in rows if part(row.path) == "val2017") == {
        ("cup", "val"): 3,
        ("cup", "test"): 3,
        ("dog", "val"): 1,
        ("dog", "test"): 1,
    }
    assert {row.split for row in rows if part(row.path) == "train2017"} == {"train_val"}
    fewer = index_dataset(block(coco, test_fraction=0.2)).images
    assert Counter((row.class_name, row.split) for row in fewer)["cup", "test"] == 1
    tests = {row.path for row in rows if row.split == "test"}
    others = [index_dataset(block(coco, split_seed=seed)).images for seed in range(1, 5)]
    assert any({row.path for row in other if row.split == "test"} != tests for other in others)


def test_guide_images_come_only_from_train2017(coco: Path) -> None:
    rows = cups(coco)
    cell = draw_shots(rows, dataset="coco", seed=0, shots=4, guide_pool=8)
    assert Counter(row.role for row in cell) == {"guide": 4, "val": 3, "test": 3}
    assert all(part(row.path) == "train2017" for row in cell if row.role == "guide")
    assert all(part(row.path) == "val2017" for row in cell if row.role != "guide")


def test_some_classes_only(coco: Path) -> None:
    # The dog is larger: image 1 is no image of a cup, whatever the classes.
    assert set(labels(block(coco, classes=("cup", "fire hydrant")))) == {2, *range(10, 14), *range(20, 26)}
    text = complaint(block(coco, classes=("cup", "boat")))
    assert "`classes`: `boat` is not in the categories of" in text and "cup, dog, fire_hydrant, hot_dog" in text


def test_too_few_images_in_train2017_are_reported(coco: Path) -> None:
    text = complaint(block(coco), shots=2)
    assert all(f"the class `{name}` has 1 readable train-val" in text for name in ("dog", "fire_hydrant", "hot_dog"))
    assert "2 shots need 2" in text and "`cup`" not in text


def test_missing_files_are_reported(coco: Path, tmp_path: Path) -> None:
    (coco / "train2017" / f"{10:012d}.jpg").unlink()
    assert "000000000010.jpg" in complaint(block(coco))
    (coco / "annotations" / "instances_val2017.json").unlink()
    text = complaint(block(coco))
    assert "instances_val2017.json: no such file; unpack" in text and "000000000010.jpg" in text
    nowhere = complaint(block(tmp_path / "nowhere"))
    assert "nowhere: no such folder" in nowhere


@pytest.mark.parametrize(
    "content",
    [
        "{",
        "[]",
        '{"images": 3, "annotations": [], "categories": []}',
        '{"images": [], "categories": [], "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "area": 2}]}',
    ],
    ids=["cut", "a list", "no images", "unknown image"],
)
def test_a_file_without_a_list_of_instances_is_reported(coco: Path, content: str) -> None:
    (coco / "annotations" / "instances_train2017.json").write_text(content)
    assert "instances_train2017.json: not a list of COCO instances" in complaint(block(coco))


def test_a_path_outside_of_the_dataset_is_reported(coco: Path) -> None:
    file = coco / "annotations" / "instances_val2017.json"
    file.write_text(file.read_text().replace(f"{20:012d}.jpg", "../../elsewhere.jpg"))
    assert "elsewhere.jpg: outside of" in complaint(block(coco))


def test_category_names_that_cannot_be_used_are_reported(coco: Path) -> None:
    for file in (coco / "annotations").iterdir():
        file.write_text(file.read_text().replace('"hot dog"', '"hot\\u202edog"'))
    text = complaint(block(coco))
    assert "2017.json: `hot" in text and "the class name contains the character '\\u202e'" in text


@pytest.mark.parametrize("name", ["\\u0000.jpg", "\\ud800.jpg", "a\\rb.jpg"])
def test_invalid_file_names_are_reported(coco: Path, name: str) -> None:
    file = coco / "annotations/instances_val2017.json"
    content = json.loads(file.read_text())
    content["images"][0]["file_name"] = json.loads(f'"{name}"')
    file.write_text(json.dumps(content))
    assert f"invalid file name '{ascii(json.loads(chr(34) + name + chr(34)))[1:-1]}'" in complaint(block(coco))


def test_validation_images_belong_to_the_real_set_of_train_val(coco: Path, tmp_path: Path) -> None:
    images = cups(coco)
    write_images([*images, ImageRow("odd.jpg", "cup", "test_uncommon", 1, 1, "")], tmp_path / "images.csv")
    synthetic = [ManifestRow(f"{number}.png", "cup", 0, number, "", 0.0, 0, 0, "", 1) for number in range(4)]
    write_manifest(synthetic, tmp_path / "manifest.csv")
    random = np.random.RandomState(0)
    np.save(tmp_path / "real.npy", random.randn(len(images) + 1, 3).astype(np.float32))
    np.save(tmp_path / "synthetic.npy", random.randn(4, 3).astype(np.float32))
    tables = [str(tmp_path / name) for name in ("images.csv", "real.npy", "manifest.csv", "synthetic.npy")]
    for splits, count in ((["train_val"], 7), (["test"], 3), (["train_val", "test"], 10)):
        settings = json.dumps({"k": [1], "real_splits": splits, "subsample": None, "seed": 0})
        command = [sys.executable, "workflow_scripts/measure_diversity.py", *tables, "--settings", settings]
        subprocess.run([*command, "--output", str(tmp_path / "diversity.json")], check=True)
        results = json.loads((tmp_path / "diversity.json").read_text())
        assert {result["n_real"] for result in results} == {count}
