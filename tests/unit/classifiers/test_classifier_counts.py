"""Counts of the classifiers' jobs: models that a job loads, images that it decodes, and passes of the backbone."""

import hashlib
import json
import math
from collections import Counter
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from PIL import Image

import extract_features
import score_images
import train_downstream
import train_guide_classifier
from diagen.classifiers import augmentation
from diagen.data.shots_file import Shot, write_shots
from diagen.diversity import features
from diagen.generation.manifest_file import ManifestRow, write_manifest
from diagen.guide_classifiers import trained
from diagen.models import backbones

CLASSES = ("boat", "car")
ROLES = {"guide": 2, "val": 3, "test": 5}  # images per class
SYNTHETIC = 3  # images per guide image
MICRO_BATCH = 4


class Counts:
    """A cell with its photos and synthetic images, and what a program does with it."""

    def __init__(self, folder: Path, stand_ins: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder, self.monkeypatch = folder, monkeypatch
        self.backbone = {"path": str(stand_ins / "resnet")}
        self.loads, self.passes = [], []
        self.decoded: Counter[str] = Counter()
        self._photos()
        for name in ("load_backbone", "load_feature_extractor"):
            monkeypatch.setattr(backbones, name, self._counting_load(getattr(backbones, name)))
        monkeypatch.setattr(trained, "load_backbone", backbones.load_backbone)
        for module in (augmentation, features):
            monkeypatch.setattr(module, "load_image", self._counting_decode(module.load_image))

    def _photos(self) -> None:
        pixels = iter(np.random.default_rng(0).integers(0, 256, (100, 36, 40, 3), dtype=np.uint8))
        shots, manifest = [], []
        for name in CLASSES:
            for role, number in ((role, number) for role, count in ROLES.items() for number in range(count)):
                path = self.folder / f"{role}-{name}-{number}.png"
                Image.fromarray(next(pixels)).save(path)
                digest = hashlib.sha256(path.read_bytes()).hexdigest()
                shots.append(Shot(role, name, number if role == "guide" else None, str(path), digest))
            for guide, number in np.ndindex(ROLES["guide"], SYNTHETIC):
                file_name = f"synthetic-{name}-{guide}-{number}.png"
                Image.fromarray(next(pixels)).save(self.folder / file_name)
                manifest.append(ManifestRow(file_name, name, guide, number, "a photo", 0.0, 1, 2, "0" * 64, 8))
        write_shots(shots, self.folder / "shots.csv")
        write_manifest(manifest, self.folder / "manifest.csv")

    def _counting_load(self, load: object) -> object:
        def counting(*arguments: object, **named: object) -> object:
            model = load(*arguments, **named)
            model.register_forward_pre_hook(lambda *_: self.passes.append(model))
            self.loads.append(model)
            return model

        return counting

    def _counting_decode(self, load_image: object) -> object:
        def counting(path: Path | str) -> Image.Image:
            self.decoded[Path(path).name.split("-")[0]] += 1
            return load_image(path)

        return counting

    def run(self, program: ModuleType, *arguments: object, **settings: object) -> None:
        options = ["--device", "cpu", "--torch-threads", "1", "--micro-batch", MICRO_BATCH]
        text = json.dumps(settings)
        self.monkeypatch.setattr("sys.argv", ["program", *map(str, [*arguments, "--settings", text, *options])])
        self.loads.clear(), self.passes.clear(), self.decoded.clear()
        program.main()

    def train_guide_classifier(self, epochs: int = 2) -> None:
        cell = ("--dataset", "world", "--seed", 0, "--shots", 2, "--store", self.folder / "store")
        guide = {"epochs": epochs, "iterations": 5, "patience": epochs, "batch": 8, "learning_rate": 0.05}
        arguments = (self.folder / "shots.csv", *cell, "--output", self.folder / f"guide{epochs}")
        settings = {"guide_classifier": guide, "backbone": self.backbone, "image_size": 32}
        self.run(train_guide_classifier, *arguments, **settings)

    def train_downstream(self, epochs: int = 2) -> None:
        cell = ("--dataset", "world", "--seed", 0, "--shots", 2, "--store", self.folder)
        downstream = {"epochs": epochs, "iterations": 5, "batch": 8, "learning_rate": 0.05, "image_size": 32}
        self.run(
            train_downstream,
            *(self.folder / "shots.csv", "--manifest", self.folder / "manifest.csv", *cell),
            *("--output", self.folder / f"downstream{epochs}"),
            method="diagen",
            downstream=downstream,
            backbone=self.backbone,
            synthetic_probability=0.5,
        )


@pytest.fixture
def counts(tmp_path: Path, stand_ins: Path, monkeypatch: pytest.MonkeyPatch) -> Counts:
    return Counts(tmp_path, stand_ins, monkeypatch)


def images(*roles: str) -> dict[str, int]:
    """The number of images of each role."""
    known = ROLES | {"synthetic": ROLES["guide"] * SYNTHETIC}
    return {role: len(CLASSES) * known[role] for role in roles}


def test_a_guide_classifier_decodes_each_photo_once(counts: Counts) -> None:
    counts.train_guide_classifier()
    assert len(counts.loads) == 1
    assert counts.decoded == images("guide", "val")


def test_a_downstream_classifier_decodes_each_image_once(counts: Counts) -> None:
    counts.train_downstream()
    assert len(counts.loads) == 1
    assert counts.decoded == images("guide", "synthetic", "val", "test")
    counts.train_downstream(3)
    assert counts.decoded == images("guide", "synthetic"), "evaluated photos have their features in the store"


@pytest.mark.parametrize("train", [Counts.train_guide_classifier, Counts.train_downstream])
def test_a_further_epoch_passes_only_its_own_draws(counts: Counts, train: object) -> None:
    """Validation features of a frozen backbone are computed once, not in each epoch."""
    train(counts, 1)  # puts what jobs share into the store
    passes = []
    for epochs in (2, 3):
        train(counts, epochs)
        passes.append(len(counts.passes))
    assert passes[1] - passes[0] == 5 * 8 // MICRO_BATCH


@pytest.mark.parametrize("views", [0, 1, 3])
def test_scoring_takes_a_pass_per_micro_batch_and_view(counts: Counts, views: int) -> None:
    counts.train_guide_classifier()
    scoring = {"transform": "confidence", "normalize": "guide_image", "backbone": counts.backbone, "image_size": 32}
    arguments = (counts.folder / "manifest.csv", counts.folder / "guide2", "--store", counts.folder)
    counts.run(score_images, *arguments, "--output", counts.folder / "weights.csv", **scoring, views=views)
    count = images("synthetic")["synthetic"]
    assert len(counts.loads) == 1
    assert len(counts.passes) <= max(1, views) * math.ceil(count / MICRO_BATCH)
    assert set(counts.decoded) == {"synthetic"} and count <= counts.decoded["synthetic"] <= max(1, views) * count


def test_features_take_one_decoding_per_image_and_a_pass_per_micro_batch(counts: Counts, stand_ins: Path) -> None:
    model = {"path": str(stand_ins / "dinov2"), "entry_point": "dinov2_demo", "image_size": 32}
    arguments = (counts.folder / "manifest.csv", "--root", counts.folder, "--output", counts.folder / "features.npy")
    counts.run(extract_features, *arguments, features=model)
    assert len(counts.loads) == 1 and counts.decoded == images("synthetic")
    assert len(counts.passes) == math.ceil(images("synthetic")["synthetic"] / MICRO_BATCH)
