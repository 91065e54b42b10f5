"""The demo's datasets: places and colors of each split, reproducible bytes, no overlap with training scenes."""

import csv
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from demo.training.training_scenes import training_scenes
from demo.world.draw_dataset import dataset_scenes, draw_dataset
from demo.world.scenes import CLASSES, COMMON_PLACES, UNCOMMON_PLACES, draw, pixel_hash, sample_scene

SEEDS = (0, 1, 2, 100, 101, 102)


def test_layout_places_and_table(tmp_path: Path) -> None:
    counts = {"train-val": 12, "test": 12, "test_uncommon": 12}
    assert draw_dataset(tmp_path, 7, ["pine tree", "car"], counts) == 72
    with open(tmp_path / "scenes.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    files = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.png")}
    assert files == {row["file_name"] for row in rows}
    assert "train-val/pine_tree/0000.png" in files
    for row in rows:
        assert pixel_hash(Image.open(tmp_path / row["file_name"])) == row["sha256"]
    for name in ("pine tree", "car"):
        places = {split: {r["place"] for r in rows if r["class"] == name and r["split"] == split} for split in counts}
        assert places["train-val"] == set(COMMON_PLACES[name][:2])
        assert places["test"] <= set(COMMON_PLACES[name])
        assert places["test_uncommon"] <= set(UNCOMMON_PLACES[name])
        guides = [r for r in rows if r["class"] == name and r["split"] == "train-val"]
        assert len({row["color"] for row in guides}) <= 4


def test_same_seed_same_bytes(tmp_path: Path) -> None:
    for folder in ("first", "second"):
        draw_dataset(tmp_path / folder, 3, ["key"], {"test": 3})
    for path in sorted((tmp_path / "first").rglob("*.*")):
        assert path.read_bytes() == (tmp_path / "second" / path.relative_to(tmp_path / "first")).read_bytes()


def test_more_images_keep_the_first_ones() -> None:
    few = list(dataset_scenes(0, ["fish"], {"test": 3}))
    assert list(dataset_scenes(0, ["fish"], {"test": 8}))[:3] == few


def test_no_dataset_scene_is_a_training_scene() -> None:
    """Compares all scenes, and a sample of the pictures, because hashing all of them is slow."""
    counts = {"train-val": 40, "test": 40, "test_uncommon": 40}
    datasets = [scene for seed in SEEDS for _, _, scene in dataset_scenes(seed, list(CLASSES), counts)]
    training = training_scenes()
    for first_seed, steps in ((7_000_000, 300), (5_000_000, 300)):
        for step in range(steps):
            generator = np.random.default_rng([first_seed, step])
            training += [sample_scene(generator) for _ in range(64)]
    assert len(set(datasets)) == len(datasets)
    assert not set(datasets) & set(training)
    shown = {pixel_hash(draw(scene)) for scene in training[::100]}
    assert not shown & {pixel_hash(draw(scene)) for scene in datasets[::20]}


@pytest.mark.slow
def test_no_dataset_picture_is_a_training_picture() -> None:
    counts = {"train-val": 40, "test": 40, "test_uncommon": 40}
    shown = {pixel_hash(draw(scene)) for scene in training_scenes()}
    for seed in SEEDS:
        assert not shown & {pixel_hash(draw(scene)) for _, _, scene in dataset_scenes(seed, list(CLASSES), counts)}
