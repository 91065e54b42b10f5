"""Predictions of all cells as one array: order, folds, and tables that do not fit each other."""

import csv

import numpy as np
import pytest

from diagen.comparisons.outcomes import read_outcomes, require_split
from diagen.errors import InputError
from diagen.files.tables import DamagedFile
from tests.unit.comparisons.conftest import METHODS, write_cell

GRID = {"cell_seeds": (0, 1), "folds": 1, "shots": (2, 4), "methods": METHODS}


def read(folder, **changes):
    return read_outcomes(folder, "world", **(GRID | changes))


def test_every_prediction_has_its_place(experiment):
    folder = experiment()
    test, uncommon = read(folder)
    assert (test.split, uncommon.split) == ("test", "test_uncommon"), "validation is no result"
    assert test.classes == ("NA", "car", "star") and test.counts.tolist() == [3, 4, 1]
    assert test.right.shape == (3, 2, 2, 8)
    for method, shots, seed in np.ndindex(3, 2, 2):
        cell = folder / f"world/seed{seed}/shots{(2, 4)[shots]}/downstream/{METHODS[method]}"
        with open(cell / "predictions.csv", newline="") as file:
            rows = {row["path"]: row for row in csv.DictReader(file) if row["split"] == "test"}
        expected = [rows[path]["class"] == rows[path]["predicted"] for path in sorted(rows, key=lambda path: path)]
        assert test.right[method, shots, seed].tolist() == expected


def test_rows_in_another_order_are_the_same(experiment):
    folder = experiment()
    before = read(folder)[0].right
    for path in folder.rglob("seed1/**/predictions.csv"):
        header, *lines = path.read_text().splitlines()
        path.write_text("\n".join([header, *sorted(lines, key=lambda line: line[::-1])]) + "\n")
    assert (read(folder)[0].right == before).all()


def test_equal_file_names_in_two_classes_are_two_images(tmp_path):
    rows = [("test", f"photos/{name}/1.jpg", name, "car") for name in ("car", "star")]
    write_cell(tmp_path / "world/seed0/shots2/downstream/m", rows)
    (test,) = read(tmp_path, cell_seeds=(0,), shots=(2,), methods=("m",))
    assert test.right[0, 0, 0].tolist() == [True, False]


def test_folds_of_a_seed_test_each_photo_once(tmp_path):
    photos = [(f"photos/{name}/{number}.jpg", name) for name in ("car", "star") for number in range(3)]
    for repeat in (0, 5):
        for fold in range(3):
            rows = [("test", path, name, "car") for path, name in photos if path.endswith(f"{(fold + repeat) % 3}.jpg")]
            write_cell(tmp_path / f"world/seed{3 * repeat + fold}/shots2/downstream/m", rows)
    seeds = (0, 1, 2, 15, 16, 17)
    (test,) = read(tmp_path, cell_seeds=seeds, folds=3, shots=(2,), methods=("m",))
    assert test.right.shape == (1, 1, 2, 6)
    assert test.right[0, 0].tolist() == 2 * [3 * [True] + 3 * [False]]
    write_cell(tmp_path / "world/seed1/shots2/downstream/m", [("test", "photos/car/0.jpg", "car", "car")])
    with pytest.raises(InputError, match=r"seed0.*photos/car/0.jpg is tested in two folds of this seed"):
        read(tmp_path, cell_seeds=seeds, folds=3, shots=(2,), methods=("m",))


def test_an_experiment_without_test_images_has_no_outcomes(tmp_path):
    write_cell(tmp_path / "world/seed0/shots2/downstream/m", [("val", "a.jpg", "car", "car")])
    assert read(tmp_path, cell_seeds=(0,), shots=(2,), methods=("m",)) == []


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("photos/test/car/2, it.jpg", "photos/test/car/9.jpg", "it lacks photos/test/car/2, it.jpg"),
        ("test_uncommon", "test", "it has other classes or splits"),
    ],
)
def test_other_images_are_reported_with_both_files(experiment, old, new, message):
    folder = experiment()
    path = folder / "world/seed1/shots4/downstream/diagen/predictions.csv"
    path.write_text(path.read_text().replace(f'"{old}"', new).replace(f"{old},", f"{new},"))
    with pytest.raises(InputError) as caught:
        read(folder)
    first = folder / "world/seed0/shots2/downstream/standard/predictions.csv"
    assert str(caught.value).startswith(f"{path}: not the same test images as in {first}: {message}. Delete both")
    assert f"rm {path} {first}" in str(caught.value)


def test_an_additional_image_is_reported(experiment):
    folder = experiment()
    path = folder / "world/seed1/shots4/downstream/diagen/predictions.csv"
    path.write_text(path.read_text() + "test,photos/new.jpg,car,car,0.5\n")
    with pytest.raises(InputError, match="it also has photos/new.jpg"):
        read(folder)


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda text: text + text.splitlines()[-1] + "\n", "it lists photos/test_uncommon/star/0, it.jpg twice"),
        (lambda text: text.replace("predicted", "guess", 1), "missing columns: predicted"),
        (lambda text: text[: text.rindex(",star,")] + "\n", "line 25 does not have one value per column"),
        (
            lambda text: text.replace('test/car/0, it.jpg",car', 'test/car/0, it.jpg",'),
            "line 10 has no split, path or class",
        ),
        (lambda text: "", "missing columns: split, path, class, predicted, probability"),
    ],
)
def test_damaged_tables_are_named(experiment, damage, reason):
    folder = experiment()
    path = folder / "world/seed0/shots4/downstream/diagen/predictions.csv"
    path.write_text(damage(path.read_text()))
    with pytest.raises(DamagedFile, match=reason) as caught:
        read(folder)
    assert str(path) in str(caught.value)


def test_a_missing_table_is_named(experiment):
    folder = experiment()
    path = folder / "world/seed0/shots4/downstream/diagen/predictions.csv"
    path.unlink()
    with pytest.raises(FileNotFoundError) as caught:
        read(folder)
    assert caught.value.filename == str(path) or caught.value.filename == path


def test_a_split_of_the_primary_comparison_without_images_is_reported(experiment):
    outcomes = read(experiment())
    require_split(outcomes, ("world",), "test_uncommon")
    with pytest.raises(InputError, match="`comparison.split`: there are no images of `test` in `mine`, `other`. Set"):
        require_split(outcomes, ("mine", "world", "other"), "test")
