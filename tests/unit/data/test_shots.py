"""Few-shot splits: nested, with shared validation images, independent of roots and order."""

import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from diagen.data.images_file import ImageRow
from diagen.data.shots import draw_shots
from diagen.data.shots_file import Shot, read_shots, write_shots
from diagen.errors import InputError

SIZES = st.dictionaries(st.sampled_from(["cup", "pine_tree", "Boot", "été"]), st.integers(9, 20), min_size=1)


def images_of(sizes: dict[str, int], root: str = "photos", tests: int = 3) -> list[ImageRow]:
    rows = []
    for name, size in sizes.items():
        for split, count in (("train_val", size), ("test", tests), ("test_uncommon", 1)):
            for number in range(count):
                path = f"{root}/{split}/{name}/{name} ({number}).jpg"
                rows.append(ImageRow(path, name, split, 8, 8, f"{name}{split}{number}"))
    return rows


def draw(images: list[ImageRow], shots: int, seed: int = 0, dataset: str = "coco", guide_pool: int = 8) -> list[Shot]:
    return draw_shots(images, dataset=dataset, seed=seed, shots=shots, guide_pool=guide_pool)


def hashes(rows: list[Shot], role: str, name: str) -> list[str]:
    return [row.sha256 for row in rows if (row.role, row.class_name) == (role, name)]


@settings(max_examples=40, deadline=None, derandomize=True)
@given(sizes=SIZES, seed=st.integers(0, 2**31 - 1))
def test_fewer_shots_are_the_first_of_more(sizes: dict[str, int], seed: int) -> None:
    cells = {shots: draw(images_of(sizes), shots, seed) for shots in (1, 2, 4, 8)}
    for name, size in sizes.items():
        guides = hashes(cells[8], "guide", name)
        for shots, rows in cells.items():
            assert hashes(rows, "guide", name) == guides[:shots]
            assert hashes(rows, "val", name) == hashes(cells[8], "val", name)
        validating = hashes(cells[8], "val", name)
        assert len(guides) == 8 and len(validating) == size - 8
        assert len({*guides, *validating}) == size


@settings(max_examples=40, deadline=None, derandomize=True)
@given(sizes=SIZES, seed=st.integers(0, 100), shuffle=st.randoms(use_true_random=False))
def test_neither_order_nor_root_nor_other_classes_matter(
    sizes: dict[str, int], seed: int, shuffle: random.Random
) -> None:
    images = images_of(sizes)
    shuffled = shuffle.sample(images, len(images))
    assert draw(shuffled, 4, seed) == draw(images, 4, seed)
    moved = draw(images_of(sizes, root="/elsewhere/my photos"), 4, seed)
    assert [row.sha256 for row in moved] == [row.sha256 for row in draw(images, 4, seed)]
    name = next(iter(sizes))
    alone = draw(images_of({name: sizes[name]}), 4, seed)
    assert alone == [row for row in draw(images, 4, seed) if row.class_name == name]


def test_guide_numbers_follow_the_permutation() -> None:
    rows = draw(images_of({"cup": 12}), 4)
    assert [row.guide for row in rows if row.role == "guide"] == [0, 1, 2, 3]
    assert {row.guide for row in rows if row.role != "guide"} == {None}


def test_seed_dataset_and_class_each_change_the_draw() -> None:
    images = images_of({"cup": 40, "mug": 40})
    numbers = [hashes(draw(images, 8), "guide", "cup"), hashes(draw(images, 8, seed=1), "guide", "cup")]
    numbers.append(hashes(draw(images, 8, dataset="focus"), "guide", "cup"))
    numbers.append([sha256.replace("mug", "cup") for sha256 in hashes(draw(images, 8), "guide", "mug")])
    assert len({tuple(number) for number in numbers}) == 4


def test_all_images_are_drawn_equally_often() -> None:
    counts = dict.fromkeys((row.sha256 for row in images_of({"cup": 10}, tests=0) if row.split == "train_val"), 0)
    for seed in range(1000):
        for sha256 in hashes(draw(images_of({"cup": 10}, tests=0), 2, seed), "guide", "cup"):
            counts[sha256] += 1
    # Binomial with n = 1000, p = 0.2: five standard deviations are 63.
    assert all(abs(count - 200) < 63 for count in counts.values())


def test_the_draw_never_changes() -> None:
    guides = hashes(draw(images_of({"cup": 12}), 4), "guide", "cup")
    assert guides == ["cuptrain_val10", "cuptrain_val6", "cuptrain_val5", "cuptrain_val8"]


def test_small_classes_validate_with_their_last_image() -> None:
    images = images_of({"cup": 5})
    cells = [draw(images, shots) for shots in (1, 2, 4)]
    assert len({tuple(hashes(rows, "val", "cup")) for rows in cells}) == 1
    assert len(hashes(cells[0], "val", "cup")) == 1
    assert not {*hashes(cells[2], "val", "cup")} & {*hashes(cells[2], "guide", "cup")}


def test_validation_images_of_their_own_split_are_the_only_ones_that_validate() -> None:
    images = images_of({"cup": 4, "mug": 12})
    own = [ImageRow(f"photos/val/{name}.jpg", name, "val", 8, 8, f"{name}val") for name in ("cup", "mug")]
    rows = draw([*images, *own], 4)
    assert [row.sha256 for row in rows if row.role == "val"] == ["cupval", "mugval"]
    assert hashes(rows, "guide", "mug") == hashes(draw(images_of({"mug": 12}), 4), "guide", "mug")
    assert len(hashes(rows, "guide", "cup")) == 4
    with pytest.raises(InputError, match="5 shots need 5 .*`cup` has 4"):
        draw([*images, *own], 5)


def test_too_few_images_name_every_class() -> None:
    with pytest.raises(InputError) as caught:
        draw(images_of({"cup": 4, "mug": 5, "bench": 2}), 4)
    assert "`bench` has 2, `cup` has 4" in str(caught.value) and "mug" not in str(caught.value)


def test_shots_beyond_the_pool() -> None:
    with pytest.raises(InputError, match="guide_pool"):
        draw(images_of({"cup": 20}), 9)


def test_all_test_images_are_listed_and_rows_sorted() -> None:
    images = images_of({"mug": 9, "cup": 9})
    rows = draw(images, 2)
    assert len([row for row in rows if row.role == "test"]) == 6
    assert len([row for row in rows if row.role == "test_uncommon"]) == 2
    assert [row.role for row in rows] == sorted(
        (row.role for row in rows), key=("guide", "val", "test", "test_uncommon").index
    )
    for role in ("val", "test"):
        places = [(row.class_name, row.path) for row in rows if row.role == role]
        assert places == sorted(places)


def test_names_below_the_common_folder_count() -> None:
    images = [
        ImageRow(f"a/truck-{place}/1.jpg", "truck", "train_val", 8, 8, place) for place in ("snow", "sand", "sea")
    ]
    moved = [ImageRow(f"b/c/truck-{row.sha256}/1.jpg", "truck", "train_val", 8, 8, row.sha256) for row in images]
    assert [row.sha256 for row in draw(images, 2)] == [row.sha256 for row in draw(moved, 2)]


def test_table_survives_a_round_trip(tmp_path: Path) -> None:
    rows = draw(images_of({"cup": 10}), 2)
    write_shots(rows, tmp_path / "shots.csv")
    assert read_shots(tmp_path / "shots.csv") == rows
    (tmp_path / "other.csv").write_text("role\n")
    with pytest.raises(InputError, match=r"other\.csv: damaged \(missing columns: class, guide, path, sha256; check"):
        read_shots(tmp_path / "other.csv")
