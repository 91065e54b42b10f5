"""A report of damaged results names the file, and how to make it again; names and numbers of classes do no harm."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from diagen.errors import InputError
from diagen.files.tables import write_rows
from diagen.generation.manifest_file import read_manifest, write_manifest
from diagen.report.assembly import report_page
from diagen.report.results import Results
from diagen.report.sections.confusion import MOST_CLASSES, confusions
from tests.report.experiment import Plan, lay_out

CELL = Path("world/seed0/shots2")
MANIFEST = CELL / "synthetic/diagen/manifest.csv"
FEATURES = CELL / "synthetic/diagen/features.npy"
LADDER = Path("world/noise_ladder.csv")
PREDICTIONS = CELL / "downstream/diagen/predictions.csv"


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Results:
    plan = Plan(methods=("standard", "diagen"), seeds=(0,), shots=(2,))
    return lay_out(tmp_path_factory.mktemp("whole"), plan)


def cut(path: Path) -> None:
    """Leave out the end of the last line."""
    path.write_bytes(path.read_bytes()[:-4])


def without_last_value(path: Path) -> None:
    lines = path.read_text().splitlines()
    path.write_text("\n".join([*lines[:4], lines[4].rpartition(",")[0], *lines[5:]]) + "\n")


def in_column(column: str, value: str) -> Callable[[Path], None]:
    """Replace the first value of a column."""

    def change(path: Path) -> None:
        head, row, *rows = path.read_text().splitlines()
        values = dict(zip(head.split(","), row.split(","), strict=False))
        path.write_text("\n".join([head, ",".join({**values, column: value}.values()), *rows]) + "\n")

    return change


@pytest.mark.parametrize(
    ("file", "damage", "reason"),
    [
        ("summary/comparisons.csv", cut, "incomplete"),
        ("summary/worth.csv", without_last_value, "line 5 does not have one value per column"),
        ("summary/means.csv", in_column("mean", "nan"), "`nan` in the column `mean` is not a finite number"),
        ("summary/comparisons.csv", in_column("answer", "maybe"), "`maybe` is no answer"),
        ("summary/diversity.csv", lambda path: path.write_bytes(b"\xff\xfe"), "utf-8"),
        (CELL / "synthetic/diagen/weights/paper.csv", in_column("file_name", "images/a.png"), "does not list images/a"),
        (LADDER, lambda path: write_manifest([], path), "it lists no images"),
        (LADDER, in_column("guide", "7"), "shots.csv has no guide image 7 of class `car`"),
        (FEATURES, lambda path: np.save(path, np.ones((12, 5), np.float32)), "5 numbers, but those of real"),
    ],
)  # fmt: skip
def test_damage_is_an_error_with_file_and_remedy(
    whole: Results, tmp_path: Path, file: str | Path, damage: Callable[[Path], object], reason: str
) -> None:
    shutil.copytree(whole.folder, tmp_path / "mine")
    path = tmp_path / "mine" / file
    if path.name == "worth.csv":  # an experiment with one number of shots has few rows
        path.write_text(path.read_text() + 4 * (path.read_text().splitlines()[1] + "\n"))
    damage(path)
    with pytest.raises(InputError, match=re.escape(reason)) as caught:
        report_page(Results(tmp_path / "mine", whole.store, whole.settings))
    assert str(caught.value).startswith(f"{path}: ") and f"rm {path}" in str(caught.value)


def test_weights_of_images_that_the_manifest_lacks(whole: Results, tmp_path: Path) -> None:
    shutil.copytree(whole.folder, tmp_path / "mine")
    write_manifest(read_manifest(tmp_path / "mine" / MANIFEST)[:-1], tmp_path / "mine" / MANIFEST)
    with pytest.raises(InputError, match=r"paper\.csv: damaged \(manifest\.csv does not list"):
        list(Results(tmp_path / "mine", whole.store, whole.settings).scored_images("world"))


def guessed(whole: Results, folder: Path, pairs: list[tuple[str, str]]) -> list[dict]:
    """The specifications of the charts of confusions for test photos with these classes and predictions."""
    rows = [("test", f"{number}.png", name, predicted, 0.9) for number, (name, predicted) in enumerate(pairs)]
    (folder / PREDICTIONS).parent.mkdir(parents=True)
    write_rows(("split", "path", "class", "predicted", "probability"), rows, folder / PREDICTIONS)
    body = confusions(Results(folder, whole.store, whole.settings), "world")
    return [json.loads(text) for text in re.findall(r'class="spec">(.*?)</script>', body, re.DOTALL)]


def test_names_that_objects_of_javascript_have_are_no_keys_of_charts(whole: Results, tmp_path: Path) -> None:
    names = ["constructor", "hasOwnProperty", "toString", "valueOf"]
    (specification,) = guessed(whole, tmp_path, [(name, names[0]) for name in names])
    for layer in specification["layer"]:
        for axis in ("x", "y"):
            assert layer["encoding"][axis]["scale"]["domain"] == names and "sort" not in layer["encoding"][axis]


def test_the_matrix_of_many_classes_shows_those_that_are_confused_most(whole: Results, tmp_path: Path) -> None:
    names = [f"class_{number:03}" for number in range(300)]
    wrong = [(names[200], names[7]), (names[3], names[299])]
    (specification,) = guessed(whole, tmp_path, [*((name, name) for name in names), *wrong])
    shown = specification["layer"][0]["encoding"]["x"]["scale"]["domain"]
    assert len(shown) == MOST_CLASSES and shown == sorted(shown)
    assert {"class 200", "class 007", "class 003", "class 299"} <= set(shown)
    (values,) = specification["datasets"].values()
    assert len(values) == MOST_CLASSES**2
