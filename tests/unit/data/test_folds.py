"""Folds: every photo is tested once per repeat, by a cell that draws only from the other photos."""

import json
import sys
from collections import Counter, defaultdict
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import draw_shots as program
from diagen.config import ImageFolder, load_config
from diagen.data.images_file import ImageRow, write_images
from diagen.data.images_needed import training_part
from diagen.data.index import index_dataset
from diagen.data.photo_list import with_counted_folds
from diagen.data.shots import divide, draw_shots
from diagen.data.shots_file import Shot, read_shots
from diagen.errors import InputError
from tests.unit.data.test_index import complaint, save

# Per class, the number of copies of each different photo: [1, 1, 2] are three photos, one of them twice.
COPIES = st.dictionaries(
    st.sampled_from(["cup", "pine_tree", "Boot", "été"]),
    st.lists(st.integers(1, 3), min_size=3, max_size=15),
    min_size=1,
)


def images_of(copies: dict[str, list[int]]) -> list[ImageRow]:
    return [
        ImageRow(f"photos/{name}/{number}-{copy}.jpg", name, "train_val", 8, 8, f"{name} {number}")
        for name, counts in copies.items()
        for number, count in enumerate(counts)
        for copy in range(count)
    ]


def draw(images: list[ImageRow], seed: int, folds: int, **options: object) -> list[Shot]:
    arguments = {"shots": 8, "guide_pool": 8, "validation": False, "all_shots": True, **options}
    return draw_shots(images, dataset="mine", seed=seed, folds=folds, **arguments)


def chosen(rows: list[Shot], *roles: str) -> list[Shot]:
    return [row for row in rows if row.role in roles]


@given(copies=COPIES, folds=st.integers(2, 6), repeat=st.integers(0, 2**31 - 1), validation=st.booleans())
def test_every_photo_is_tested_once_and_never_by_a_cell_that_saw_it(
    copies: dict[str, list[int]], folds: int, repeat: int, validation: bool
) -> None:
    images = images_of(copies)
    needed = 2 if validation else 1
    if any(training_part(counts, folds) < needed for counts in copies.values()):
        return
    cells = [draw(images, repeat * folds + fold, folds, validation=validation) for fold in range(folds)]
    tested = Counter(row.path for rows in cells for row in chosen(rows, "test"))
    assert tested == Counter(image.path for image in images), "each photo once"
    for rows in cells:
        seen = {row.sha256 for row in chosen(rows, "guide", "val")}
        assert not seen & {row.sha256 for row in chosen(rows, "test")}
        roles = Counter(row.path for row in rows)
        assert max(roles.values()) == 1, "a photo has one role"
        for name in copies:
            guides = [row.guide for row in chosen(rows, "guide") if row.class_name == name]
            left = len(images_of({name: copies[name]})) - sum(row.class_name == name for row in chosen(rows, "test"))
            assert guides == list(range(min(8, left - validation)))
            validating = [row for row in chosen(rows, "val") if row.class_name == name]
            assert len(validating) == max(left - 8, int(validation))


@given(copies=COPIES, folds=st.integers(2, 6), seed=st.integers(0, 2**31 - 1))
def test_folds_of_a_class_are_of_equal_size_and_keep_copies_together(
    copies: dict[str, list[int]], folds: int, seed: int
) -> None:
    for name, counts in copies.items():
        images = images_of({name: counts})
        parts = divide(images, folds, seed)
        assert sorted(image.path for part in parts for image in part) == sorted(image.path for image in images)
        places = defaultdict(set)
        for number, part in enumerate(parts):
            for image in part:
                places[image.sha256].add(number)
        assert all(len(found) == 1 for found in places.values())
        sizes = [len({image.sha256 for image in part}) for part in parts]
        assert len(sizes) == folds and max(sizes) - min(sizes) <= 1
        assert len(images) - max(map(len, parts)) >= training_part(counts, folds), "the check of the index is safe"


def test_without_copies_the_index_counts_exactly_what_the_largest_fold_leaves() -> None:
    for count in range(1, 20):
        for folds in range(2, 8):
            parts = divide(images_of({"cup": [1] * count}), folds, count)
            assert training_part([1] * count, folds) == count - max(map(len, parts))


@given(copies=COPIES, repeat=st.integers(0, 1000))
def test_fewer_shots_are_the_first_of_more_in_each_fold(copies: dict[str, list[int]], repeat: int) -> None:
    images = images_of({name: counts + [1] * 9 for name, counts in copies.items()})
    for fold in range(3):
        cells = {
            shots: draw(images, 3 * repeat + fold, 3, shots=shots, all_shots=False, validation=True)
            for shots in (1, 2, 5)
        }
        for name in copies:
            guides = {
                shots: [r.sha256 for r in chosen(rows, "guide") if r.class_name == name]
                for shots, rows in cells.items()
            }
            assert guides[1] == guides[5][:1] and guides[2] == guides[5][:2] and len(guides[5]) == 5
        assert chosen(cells[1], "val", "test") == chosen(cells[5], "val", "test")


def test_repeats_divide_differently_and_other_classes_do_not_matter() -> None:
    images = images_of({"cup": [1] * 10, "tree": [1] * 7})
    tests = [tuple(row.path for row in chosen(draw(images, seed, 5), "test")) for seed in (0, 5, 10)]
    assert len(set(tests)) == 3
    alone = [row for row in images if row.class_name == "cup"]
    assert draw(alone, 4, 5) == [row for row in draw(images, 4, 5) if row.class_name == "cup"]


def test_without_folds_all_shots_are_what_each_class_has() -> None:
    images = images_of({"cup": [1] * 3, "tree": [1] * 10})
    rows = draw(images, 0, 1)
    assert Counter((row.role, row.class_name) for row in rows) == {
        ("guide", "cup"): 3,
        ("guide", "tree"): 8,
        ("val", "tree"): 2,
    }
    rows = draw(images, 0, 1, validation=True)
    assert Counter((row.role, row.class_name) for row in rows) == {
        ("guide", "cup"): 2,
        ("val", "cup"): 1,
        ("guide", "tree"): 8,
        ("val", "tree"): 2,
    }


def test_too_few_photos_beside_the_tested_fold_and_copies_in_two_classes_are_errors() -> None:
    images = images_of({"cup": [1] * 3, "tree": [1] * 9})
    with pytest.raises(
        InputError, match="3 shots need 3 train-val images per class, but `cup` has [12] beside the tested"
    ):
        for fold in range(3):
            draw(images, fold, 3, shots=3, all_shots=False)
    copy = ImageRow("photos/tree/x.jpg", "tree", "train_val", 8, 8, images[0].sha256)
    with pytest.raises(InputError, match="photos/tree/x.jpg and photos/cup/0-0.jpg are one file in two classes"):
        draw([*images, copy], 0, 3)


# ---------------------------------------------------------------- a folder of photos


def folder_of(root: Path, sizes: dict[str, int]) -> ImageFolder:
    for place, (name, size) in enumerate(sizes.items()):
        for number in range(size):
            save(root / name / f"{number}.png", 100 * place + number)
    return ImageFolder(adapter="image_folder", root=str(root), test="none")


def test_class_folders_or_a_train_val_folder_without_test_images(tmp_path: Path) -> None:
    dataset = folder_of(tmp_path / "flat", {"cup": 3, "pine tree": 2})
    rows = index_dataset(dataset).images
    assert Counter((row.split, row.class_name) for row in rows) == {
        ("train_val", "cup"): 3,
        ("train_val", "pine_tree"): 2,
    }

    folder_of(tmp_path / "split" / "train-val", {"cup": 2, "tree": 2})
    save(tmp_path / "split" / "test" / "cup" / "other.png", 999)
    split = dataset.model_copy(update={"root": str(tmp_path / "split")})
    index = index_dataset(split)
    assert {row.split for row in index.images} == {"train_val"} and len(index.images) == 4
    assert any("split/test" in note for note in index.notes), "what is not used is listed"


def test_a_table_of_splits_without_test_images(tmp_path: Path) -> None:
    folder_of(tmp_path / "photos", {"cup": 2, "tree": 2})
    table = tmp_path / "splits.csv"
    rows = [f"{name}/{number}.png,train_val" for name in ("cup", "tree") for number in range(2)]
    table.write_text("\n".join(["path,split", *rows]) + "\n")
    named = {"adapter": "image_folder", "root": str(tmp_path / "photos"), "split_table": str(table), "test": "none"}
    assert len(index_dataset(ImageFolder(**named)).images) == 4
    table.write_text("\n".join(["path,split", *rows[1:], "cup/0.png,test"]) + "\n")
    assert "`test: none` allows the split `train_val` only" in complaint(ImageFolder(**named))


def test_the_index_names_classes_that_folds_leave_too_few_photos_of(tmp_path: Path) -> None:
    dataset = folder_of(tmp_path, {"cup": 5, "tree": 3})
    assert len(index_dataset(dataset, 2, folds=5, validation=False).images) == 8
    for shots, folds, validation, expected in (
        (3, 5, False, ["`tree` has 3 readable train-val images (2 beside the largest of 5 folds), and 3 shots need 3"]),
        (2, 5, True, ["`tree` has 3 readable train-val images (2 beside the largest of 5 folds), and 2 shots need 3"]),
        (4, 2, True, ["`cup` has 5 readable train-val images (2 beside", "`tree` has 3 readable train-val images (1 "]),
        (1, 6, False, ["6 folds, but at most 5 different images of a class (`cup`)"]),
    ):
        with pytest.raises(InputError) as caught:
            index_dataset(dataset, shots, folds=folds, validation=validation)
        assert all(text in str(caught.value) for text in expected), str(caught.value)


def test_the_index_finds_copies_in_two_classes(tmp_path: Path) -> None:
    dataset = folder_of(tmp_path, {"cup": 3, "tree": 3})
    (tmp_path / "tree" / "again.png").write_bytes((tmp_path / "cup" / "0.png").read_bytes())
    assert len(index_dataset(dataset).images) == 7, "without folds, the report lists them as leakage"
    with pytest.raises(InputError, match="one file in two classes"):
        index_dataset(dataset, 1, folds=3, validation=False)


def test_leaving_one_out_counts_the_largest_class(tmp_path: Path) -> None:
    folder_of(tmp_path / "photos", {"cup": 4, "tree": 3})
    mapping = {
        "experiment": "mine",
        "datasets": {"mine": {"adapter": "image_folder", "root": str(tmp_path / "photos"), "test": "none"}},
        "seeds": [0, 2],
        "evaluation": {"folds": "leave_one_out"},
        "models": {"diffusion": {"path": "a"}, "backbone": {"path": "b"}, "features": {"path": "c"}},
        "methods": {"standard": {}},
    }
    config = load_config(mapping, "mine.yaml", check_files=False)
    with pytest.raises(ValueError, match="with_counted_folds"):
        assert config.cell_seeds
    counted = with_counted_folds(config)
    assert counted.folds == 4 and counted.cell_seeds == (0, 1, 2, 3, 8, 9, 10, 11)
    rows = index_dataset(counted.datasets["mine"], 1, folds=4, validation=False).images
    assert [len(chosen(draw(rows, seed, 4), "test")) for seed in range(4)] in (
        [2, 2, 2, 1],
        [1, 2, 2, 2],
        [2, 1, 2, 2],
        [2, 2, 1, 2],
    )


def test_the_job_warns_if_few_images_choose_the_best_epoch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_images(images_of({"cup": [1] * 3, "tree": [1] * 13}), tmp_path / "images.csv")
    for validation, expected in (
        (True, "fewer than 5 validation images of a class, which is mostly chance: `cup` has 1."),
        (False, ""),
    ):
        settings = {"guide_pool": 8, "validation": validation, "all_shots": True}
        cell = ["--dataset", "mine", "--seed", "0", "--shots", "8", "--output", str(tmp_path / "shots.csv")]
        arguments = ["draw_shots", str(tmp_path / "images.csv"), "--settings", json.dumps(settings), *cell]
        monkeypatch.setattr(sys, "argv", arguments)
        program.main()
        warning = capsys.readouterr().err
        assert expected in warning and bool(warning) == validation
    assert {row.class_name for row in read_shots(tmp_path / "shots.csv")} == {"cup", "tree"}
