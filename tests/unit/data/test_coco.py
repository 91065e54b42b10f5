"""MS COCO 2017, drawn in its exact format: instances with crowds, several categories, images without annotations."""

import json
import math
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw

from diagen.config import Coco
from diagen.data.adapters.instances import _polygon_area
from diagen.data.images_file import ImageRow, write_images
from diagen.data.index import index_dataset
from diagen.data.shots import draw_shots
from diagen.data.shots_file import Shot, write_shots
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
    listed = (
        "cannot be opened (No such file or directory); restore the file, correct its name or permissions, or remove it"
    )
    origin = f"(image 10 of {coco}/annotations/instances_train2017.json)"
    assert f"train2017/000000000010.jpg: {listed} {origin}" in complaint(block(coco))
    assert [row.reason.endswith(origin) for row in index_dataset(block(coco, on_bad_image="skip")).skipped] == [True]
    (coco / "annotations" / "instances_val2017.json").unlink()
    text = complaint(block(coco))
    assert "instances_val2017.json: no such file; unpack" in text and "000000000010.jpg" in text
    nowhere = complaint(block(tmp_path / "nowhere"))
    assert "nowhere: no such folder" in nowhere


@pytest.mark.parametrize(
    ("content", "part"),
    [
        ("{", "not JSON in UTF-8 (Expecting property name"),
        ("\ud800", "not JSON in UTF-8 ("),
        ("[]", "no list `images` and `annotations` and `categories`; export"),
        ('{"images": 3, "annotations": [], "categories": []}', "no list `images`; export"),
        (
            '{"images": [], "categories": [], "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "area": 2}]}',
            "annotation 1: `image_id` is not the `id` of a valid image; correct it",
        ),
    ],
    ids=["cut", "not UTF-8", "a list", "no images", "unknown image"],
)
def test_a_file_without_a_list_of_instances_is_reported(coco: Path, content: str, part: str) -> None:
    (coco / "annotations" / "instances_train2017.json").write_bytes(content.encode("utf-8", "surrogatepass"))
    text = complaint(block(coco))
    assert part in text and "download" not in text


def edit(root: Path, change: Callable[[dict[str, list[Any]]], None]) -> None:
    """Change the annotations of train2017, as another tool would export them."""
    file = root / "annotations" / "instances_train2017.json"
    content = json.loads(file.read_text())
    change(content)
    file.write_text(json.dumps(content))


def test_all_mistakes_of_an_export_are_reported_with_their_ids(coco: Path) -> None:
    def change(content: dict[str, list[Any]]) -> None:
        images, annotations, categories = (content[name] for name in ("images", "annotations", "categories"))
        template = annotations[0]
        annotations += [{**template, "id": 1000 + number, "category_id": 7} for number in range(8)]
        annotations += [{**template, "id": 2000, "image_id": 77}, {**template, "id": 2001, "image_id": "1"}]
        annotations += [{key: template[key] for key in template if key != "id"}, "text", {**template, "id": [3]}]
        annotations.append({"id": 3000, "image_id": 1, "category_id": 1})
        annotations += [{**template, "id": 3001 + n, "area": area} for n, area in enumerate(("2", -1, math.nan))]
        images += [{"id": 500}, {"file_name": "x.jpg"}, dict(images[0]), {**images[1], "id": 501}]
        categories += [{"id": 600}, {"name": "boat"}, dict(categories[0])]

    edit(coco, change)
    text = complaint(block(coco))
    file = coco / "annotations" / "instances_train2017.json"
    for part in (
        "annotations 1000, 1001, 1002, 1003, 1004 and 3 more: `category_id` is not the `id` of a valid category;",
        "annotations 2000, 2001: `image_id` is not the `id` of a valid image;",
        "annotations [21], [23]: no `id` that is a whole number;",
        "annotation [22]: not a JSON object;",
        "annotations 3000, 3001, 3002, 3003: no valid `area`, polygons or `bbox` to compare sizes by;",
        "images 500, [10]: no `id` or no `file_name`;",
        "image 1: an `id` that occurs twice;",
        "image 501: the `file_name` of image 2;",
        "categories 600, [5]: no `id` or no `name`;",
        "category 1: an `id` that occurs twice;",
    ):
        assert f"{file}: {part}" in text, (part, text)


@pytest.mark.parametrize(
    "shapes",
    [
        # Each pair: a smaller cup, whose box may be larger, and a larger dog.
        ({"segmentation": [[0, 0, 4, 0, 0, 4]]}, {"segmentation": [[0, 0, 3, 0, 3, 3, 0, 3]], "bbox": [0, 0, 1, 1]}),
        (
            {"segmentation": [[0, 0, 2, 0, 2, 2, 0, 2]]},
            {"segmentation": [[0, 0, 2, 0, 2, 2, 0, 2], [4, 4, 5, 4, 5, 5]]},
        ),
        (
            {"segmentation": {"counts": [9, 3, 9, 3], "size": [4, 6]}},
            {"segmentation": {"counts": [0, 7, 17], "size": [4, 6]}},
        ),
        ({"bbox": [9, 9, 2, 3]}, {"bbox": [0, 0, 1, 7]}),
        (
            {"bbox": [0, 0, 2, 3], "segmentation": {"counts": "PPYo0", "size": [4, 6]}, "area": None},
            {"bbox": [0, 0, 3, 3], "segmentation": []},
        ),
        ({"area": 4, "bbox": [0, 0, 9, 9]}, {"area": 4.5}),
    ],
    ids=["polygon", "polygons", "run lengths", "box", "compressed run lengths", "area"],
)
@pytest.mark.parametrize("first", ["cup", "dog"])
def test_a_missing_area_is_that_of_the_shape(coco: Path, shapes: tuple[dict, dict], first: str) -> None:
    def change(content: dict[str, list[Any]]) -> None:
        others = [entry for entry in content["annotations"] if entry["image_id"] != 1]
        pair = [
            {"id": 11 if (name == first) else 12, "image_id": 1, "category_id": category, **shape}
            for name, category, shape in zip(("cup", "dog"), (1, 18), shapes, strict=True)
        ]
        content["annotations"] = others + pair

    edit(coco, change)
    assert labels(block(coco))[1] == "dog"


def test_polygon_areas_equal_those_of_filled_pixels() -> None:
    random = np.random.RandomState(5)
    for _ in range(20):
        angles = np.sort(random.uniform(0, 2 * np.pi, 7))
        points = np.stack([500 + 400 * np.cos(angles), 500 + 400 * np.sin(angles)], 1)
        mask = Image.new("L", (1000, 1000))
        ImageDraw.Draw(mask).polygon([tuple(point) for point in points], fill=1)
        area = _polygon_area(points.ravel().tolist())
        assert area == pytest.approx(np.asarray(mask).sum(), rel=0.02, abs=2000)


def test_ids_may_be_text_and_names_in_another_unicode_form(coco: Path) -> None:
    (coco / "train2017" / f"{10:012d}.jpg").rename(coco / "train2017" / "cafe\u0301.jpg")

    def change(content: dict[str, list[Any]]) -> None:
        for image in content["images"]:
            image["file_name"] = "caf\u00e9.jpg" if image["id"] == 10 else image["file_name"]
            image["id"] = str(image["id"])
        for entry in content["annotations"]:
            entry["image_id"] = str(entry["image_id"])

    edit(coco, change)
    rows = index_dataset(block(coco)).images
    assert len([row for row in rows if part(row.path) == "train2017"]) == 7
    assert (coco / "train2017" / "cafe\u0301.jpg").as_posix() in {row.path for row in rows}


def test_a_category_without_images_is_noted_or_an_error_if_it_is_configured(coco: Path) -> None:
    edit(coco, lambda content: content["categories"].append({"id": 99, "name": "boat"}))
    (note, *_) = index_dataset(block(coco)).notes
    assert "passed over 1 " in note and "the category `boat`" in note
    text = complaint(block(coco, classes=("cup", "dog", "boat")))
    assert "instances_train2017.json: `boat`: no image has this category; remove `boat` from `classes`" in text


@pytest.mark.parametrize("part", ["train2017", "val2017"])
def test_file_names_that_leave_the_folder_of_the_images_are_reported(coco: Path, part: str) -> None:
    file = coco / "annotations" / f"instances_{part}.json"
    content = json.loads(file.read_text())
    numbers = [image["id"] for image in content["images"][:3]]
    names = ("../../elsewhere.jpg", "/elsewhere/1.jpg", f"a/../{content['images'][2]['file_name']}")
    for image, name in zip(content["images"], names, strict=False):
        image["file_name"] = name
    file.write_text(json.dumps(content))
    ids = ", ".join(map(str, numbers))
    assert f"{file}: images {ids}: `file_name` is not a path below the folder of the images; write it without" in (
        complaint(block(coco))
    )


def test_a_link_to_a_file_outside_of_the_dataset_is_reported(
    coco: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    file = coco / "val2017" / f"{20:012d}.jpg"
    elsewhere = file.rename(tmp_path_factory.mktemp("elsewhere") / "a.jpg")
    file.symlink_to(elsewhere)
    assert f"{file}: outside of" in complaint(block(coco))


@pytest.mark.parametrize("values", [(0, 1), (False, True), ("0", "1"), (None, 1)])
def test_crowds_may_be_written_as_text(coco: Path, values: tuple[object, object]) -> None:
    expected = labels(block(coco))
    for file in (coco / "annotations").iterdir():
        content = json.loads(file.read_text())
        for entry in content["annotations"]:
            entry["iscrowd"] = values[entry["iscrowd"]]
        file.write_text(json.dumps(content))
    assert labels(block(coco)) == expected
    assert labels(block(coco, crowds=True))[4] == "hot_dog"


def test_invalid_marks_of_crowds_are_reported(coco: Path) -> None:
    def change(content: dict[str, list[Any]]) -> None:
        for entry, value in zip(content["annotations"], ("yes", 2, [], "", {}), strict=False):
            entry["iscrowd"] = value

    edit(coco, change)
    assert "annotations 11, 12, 21, 900100002, 41: `iscrowd` is neither 0 nor 1; correct it" in complaint(block(coco))


def test_a_dataset_without_annotations_has_no_images(coco: Path) -> None:
    for file in (coco / "annotations").iterdir():
        file.write_text(json.dumps(json.loads(file.read_text()) | {"annotations": []}))
    text = complaint(block(coco))
    assert text.splitlines()[1:] == [
        "  - the dataset has no images; add some, or list them in its annotations or its `split_table`"
    ]


def test_categories_of_one_name_are_one_class(coco: Path) -> None:
    """Roboflow exports an unused category 0 that has the name of the first one."""
    expected = labels(block(coco))
    edit(coco, lambda content: content["categories"].insert(0, {"id": 0, "name": "cup", "supercategory": "none"}))
    file = coco / "annotations" / "instances_train2017.json"
    note = f"{file}: category 1: counts as the other category named `cup`; rename one if they differ"
    assert labels(block(coco)) == expected
    assert note in index_dataset(block(coco)).notes

    def use_both(content: dict[str, list[Any]]) -> None:
        for entry in content["annotations"]:
            if entry["image_id"] in (10, 12):
                entry["category_id"] = 0

    edit(coco, use_both)
    assert labels(block(coco)) == expected


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
    write_shots([Shot("guide", "cup", 0, "other.jpg", "0")], tmp_path / "shots.csv")
    names = ("images.csv", "real.npy", "shots.csv", "manifest.csv", "synthetic.npy")
    tables = [str(tmp_path / name) for name in names]
    for splits, count in ((["train_val"], 7), (["test"], 3), (["train_val", "test"], 10)):
        sizes = {"equal_size": {"images_per_class": 2, "draws": 2}}
        settings = json.dumps({"k": [1], "real_splits": splits, "subsample": None, "seed": 0, **sizes})
        command = [sys.executable, "workflow_scripts/measure_diversity.py", *tables, "--settings", settings]
        subprocess.run([*command, "--output", str(tmp_path / "diversity.json")], check=True)
        results = json.loads((tmp_path / "diversity.json").read_text())
        assert {result["n_real"] for result in results if result["variant"] == "paper"} == {count}
