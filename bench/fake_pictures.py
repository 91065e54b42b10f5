"""The results of an experiment with any number of synthetic images: copies of few, under names of their own."""

import hashlib
import shutil
from collections.abc import Iterator, Sequence
from itertools import cycle, product
from pathlib import Path

import numpy as np

from diagen.cells import Cell
from diagen.config.blocks import Generator
from diagen.data.images_file import ImageRow, write_images
from diagen.data.shots_file import Shot, write_shots
from diagen.files.results_layout import cell_folder
from diagen.files.store_layout import image_file_name
from diagen.generation.manifest_file import ManifestRow, write_manifest
from diagen.report.pictures.noise_ladder import LADDER
from diagen.report.pictures.settings import PicturesSettings
from diagen.seeds import stable_hash, stable_seed
from diagen.weighting.weights_file import WeightRow, write_weights

CLASSES = ("car", "coffee_mug", "fish", "house", "sail_boat", "pine_tree", "star", "tea_pot", "tram", "umbrella")
PER_GUIDE, SHOTS, LEVELS = 10, 5, (0.0, 0.02, 0.04, 0.1)
PLACES = ("on a beach", "in the rain", "at night", "in a forest", "in the snow", "on a table", "at sunset", "in a city")
GENERATORS = {
    "da_fusion": Generator(embedding="paper", strength=0.5, guidance_scale=7.5, images_per_guide=PER_GUIDE),
    "noise_llm": Generator(
        embedding="paper",
        prompts="paper",
        noise_levels=LEVELS[1:],
        strength=0.7,
        guidance_scale=15,
        images_per_guide=PER_GUIDE,
    ),
}
PER_SEED = len(GENERATORS) * len(CLASSES) * SHOTS * PER_GUIDE
REAL = 30  # real photos of each class and split
FEATURES = 64


def lay_out(folder: Path, images: int, sources: Sequence[Path]) -> tuple[PicturesSettings, Path, Path]:
    """Write tables, features and images below `folder`: as many whole seeds as give at least `images` images.

    Images are copies of the files `sources` in turn. Returns what the report needs: settings, results, store.
    """
    results, store, copies = folder / "fake", folder / "store", cycle(sources)
    settings = PicturesSettings(
        datasets=("world",),
        seeds=tuple(range(-(-images // PER_SEED))),
        shots=(SHOTS,),
        methods={"da_fusion": ("da_fusion", None), "diagen": ("noise_llm", "paper")},
        generators=GENERATORS,
        primary="diagen",
        ladder="noise_llm",
    )
    real = [
        ImageRow(
            str(_copy(next(copies), folder / "photos" / split / name / f"{number}.png")), name, split, 64, 64, "0" * 64
        )
        for split, name, number in product(("train_val", "test", "test_uncommon"), CLASSES, range(REAL))
    ]
    write_images(real, results / "world" / "images.csv")
    _write_features([row.class_name for row in real], results / "world", 1.0)
    for seed in settings.seeds:
        cell = Cell("world", seed, SHOTS)
        guides = [
            Shot("guide", name, number, row.path, row.sha256)
            for name in CLASSES
            for number, row in enumerate(_drawn(real, name, seed))
        ]
        write_shots(guides, cell_folder(results, cell) / "shots.csv")
        for generator in GENERATORS:
            rows = list(_rows(cell, generator, guides))
            for row in rows:
                _copy(next(copies), store / row.file_name)
            place = cell_folder(results, cell) / "synthetic" / generator
            write_manifest(rows, place / "manifest.csv")
            _write_features([row.class_name for row in rows], place, 0.6)
            if generator == "noise_llm":
                _write_weights(rows, place / "weights" / "paper.csv")
    ladder = [row for row in _rows(Cell("world", 0, SHOTS), "ladder", guides[:1])][: len(LEVELS)]
    for row in ladder:
        _copy(next(copies), store / row.file_name)
    write_manifest(ladder, results / "world" / LADDER)
    return settings, results, store


def _copy(source: Path, target: Path) -> Path:
    target.parent.mkdir(parents=True, exist_ok=True)
    return Path(shutil.copyfile(source, target))


def _drawn(real: Sequence[ImageRow], name: str, seed: int) -> list[ImageRow]:
    of_class = [row for row in real if row.class_name == name and row.split == "train_val"]
    return [of_class[(seed * SHOTS + number) % len(of_class)] for number in range(SHOTS)]


def _rows(cell: Cell, generator: str, guides: Sequence[Shot]) -> Iterator[ManifestRow]:
    for guide, number in product(guides, range(PER_GUIDE)):
        assert guide.guide is not None
        identity = (*cell, generator, guide.class_name, guide.guide, number)
        digest = stable_hash(*identity)
        place = f" {PLACES[(number + guide.guide) % len(PLACES)]}" if generator == "noise_llm" else ""
        yield ManifestRow(
            image_file_name(digest),
            guide.class_name,
            guide.guide,
            number,
            f"a photo of a <{guide.class_name}>{place}",
            0.0 if generator == "da_fusion" else LEVELS[number % len(LEVELS)],
            stable_seed(*identity, "noise"),
            stable_seed(*identity, "image"),
            hashlib.sha256(digest.encode()).hexdigest(),
            16,
        )


def _write_weights(rows: Sequence[ManifestRow], path: Path) -> None:
    confidences = np.array([stable_seed(row.file_name) / 2**31 for row in rows])
    shares = confidences.reshape(-1, PER_GUIDE)
    weights = (shares / shares.sum(axis=1, keepdims=True)).ravel()
    table = zip(rows, confidences.tolist(), weights.tolist(), strict=True)
    write_weights((WeightRow(row.file_name, q, 1.0, weight) for row, q, weight in table), path)


def _write_features(class_names: Sequence[str], folder: Path, spread: float) -> None:
    """Write features around a center for each class, the narrower the smaller `spread` is."""
    random = np.random.default_rng(stable_seed(str(folder.name), len(class_names)))
    centers = {name: np.random.default_rng(stable_seed(name)).normal(size=FEATURES) for name in CLASSES}
    features = [centers[name] + spread * random.normal(size=FEATURES) for name in class_names]
    np.save(folder / "features.npy", np.array(features, dtype=np.float32))
