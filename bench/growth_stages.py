"""The operations that `growth` measures: what the programs call, on drawn inputs of any size."""

import hashlib
from collections.abc import Callable
from functools import cache, partial
from itertools import count
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from bench.growth import Operation
from bench.growth_store import Experiment, class_names, write_experiment
from demo.training.stand_ins import write_stand_ins
from diagen.cells import Cell
from diagen.classifiers.heads import new_head
from diagen.config import BackboneModel, DiffusionModel, Embedding, FeatureModel
from diagen.config.programs import (
    GenerateImagesSettings,
    LearnEmbeddingsSettings,
    PlanGenerationSettings,
    ScoreImagesSettings,
)
from diagen.data.images_file import ImageRow
from diagen.data.leakage import audit_cell
from diagen.data.shots import draw_shots
from diagen.data.shots_file import Shot
from diagen.diversity.features import image_features
from diagen.diversity.manifold import diversity, weighted_diversity
from diagen.embeddings.word_groups import ClassGuides, learn_group
from diagen.export.image_folder import place_images, plan_export
from diagen.generation.fill import generate, image_names, manifest_of, missing_rows
from diagen.generation.img2img import encode_guides
from diagen.generation.manifest_file import ManifestRow
from diagen.generation.plan import plan_generation
from diagen.generation.plan_file import PlanRow
from diagen.guide_classifiers.scoring import score_images
from diagen.models.backbones import load_backbone, load_feature_extractor
from diagen.models.diffusion import load_diffusion
from diagen.prompts.judging import Judge
from diagen.store.unneeded import find_unneeded
from diagen.store.verification import verify_results
from diagen.weighting.weights_file import read_shares

CPU = torch.device("cpu")
CELL = Cell("photos", 0, 4)
MICRO_BATCH = 8
EDGE = 32  # pixels, the size of the models
WIDTH = 64  # of features

Prepare = Callable[[int, Path], Callable[[], object]]


def operations(folder: Path) -> list[Operation]:
    """All operations, by axis; their models and stores are written into `folder` when they are needed first."""
    models, stores = cache(partial(_models, folder / "models")), cache(partial(_experiment, folder / "stores"))
    few, some, many, thousands = (4, 10, 20, 40), (40, 100, 200, 400), (500, 1250, 2500, 5000), STORE_SIZES

    def learn(classes: Callable[[int], int], shots: Callable[[int], int]) -> Prepare:
        return lambda size, place: _learning(models(), place, classes(size), shots(size))

    def in_store(work: Callable[[Experiment, Path], object]) -> Prepare:
        def prepare(size: int, place: Path) -> Callable[[], object]:
            experiment, numbers = stores(size), count()
            return lambda: work(experiment, place / str(next(numbers)))

        return prepare

    return [
        Operation("classes", "drawing shots", 1, some, _drawing),
        Operation("classes", "planning images", 1, some, _planning),
        Operation("classes", "naming images", 1, some, _naming),
        Operation("classes", "judging prompts", 2, some, _judging),
        Operation("classes", "learning words", 1, few, learn(lambda size: size, lambda _: 2)),
        Operation("shots", "learning words", 1, few, learn(lambda _: 4, lambda size: size)),
        Operation("shots", "encoding guide images", 1, few, lambda n, place: _encoding(models(), place, 4 * n)),
        Operation("images", "generating", 1, (16, 40, 80, 160), lambda n, place: _generating(models(), place, n)),
        Operation("images", "scoring", 1, some, lambda n, place: _scoring(models(), place, n, 1)),
        Operation("images", "extracting features", 1, some, lambda n, place: _extracting(models(), place, n)),
        Operation("views", "scoring", 1, few, lambda n, place: _scoring(models(), place, 40, n)),
        Operation("points", "diversity", 2, many, _diversity),
        Operation("points", "diversity drawn by weights", 2, many, _weighted_diversity),
        Operation("points", "auditing leakage", 2, many, _auditing),
        Operation("images in the store", "finding missing images", 1, thousands, in_store(_find_missing), True),
        Operation("images in the store", "composing the manifest", 1, thousands, in_store(_compose), True),
        Operation("images in the store", "verifying results", 1, thousands, in_store(_verify), True),
        Operation("images in the store", "finding unneeded files", 1, thousands, in_store(_find_unneeded), True),
        Operation("images in the store", "export", 1, thousands, in_store(_export), True),
        Operation("images in the store", "export again", 1, thousands, in_store(_export_again), True),
    ]


STORE_SIZES = (5_040, 10_000, 24_960, 50_000)


def _models(folder: Path) -> Path:
    write_stand_ins(folder)
    return folder


def _experiment(folder: Path, images: int) -> Experiment:
    place = folder / str(images)
    place.mkdir(parents=True)
    return write_experiment(place, images)


def _photos(folder: Path, number: int) -> list[tuple[Path, str]]:
    """Write `number` photos; returns their paths and SHA-256."""
    pixels = np.random.default_rng(0).integers(0, 256, (number, 40, 48, 3), np.uint8)
    paths = [folder / f"{index}.png" for index in range(number)]
    for path, values in zip(paths, pixels, strict=True):
        Image.fromarray(values).save(path)
    return [(path, hashlib.sha256(path.read_bytes()).hexdigest()) for path in paths]


def _drawing(classes: int, _: Path) -> Callable[[], object]:
    images = [
        ImageRow(f"photos/{name}/{number}.png", name, "train_val", EDGE, EDGE, "0" * 64)
        for name in class_names(classes)
        for number in range(50)
    ]
    return lambda: draw_shots(images, dataset="photos", seed=0, shots=8, guide_pool=16)


def _planned(classes: int) -> list[PlanRow]:
    shots = [Shot("guide", name, guide, "photo.png", "0" * 64) for name in class_names(classes) for guide in range(4)]
    return plan_generation(shots, None, PlanGenerationSettings(images_per_guide=10, noise_levels=(0.0, 0.01)), CELL)


def _planning(classes: int, _: Path) -> Callable[[], object]:
    return lambda: _planned(classes)


def _naming(classes: int, _: Path) -> Callable[[], object]:
    plan, words = _planned(classes), {name: torch.zeros(1, WIDTH) for name in class_names(classes)}
    settings = _generation(Path("models"))
    return lambda: image_names(plan, words, settings)


def _judging(classes: int, _: Path) -> Callable[[], object]:
    names = class_names(classes)

    def judge() -> None:
        for name in names:
            judge, words = Judge(name, names), name.replace("_", " ")
            for color in ("red", "green", "blue", "white", "black"):
                judge.refusal(f"a photo of a {color} {words} on a table")

    return judge


def _diffusion(models: Path) -> DiffusionModel:
    return DiffusionModel(path=str(models / "stable_diffusion"), image_size=EDGE, sha256="0" * 64)


def _generation(models: Path) -> GenerateImagesSettings:
    return GenerateImagesSettings(strength=0.7, guidance_scale=7.5, inference_steps=10, diffusion=_diffusion(models))


def _learning(models: Path, place: Path, classes: int, shots: int) -> Callable[[], object]:
    """Learn words, with few steps if the photos are to matter."""
    photos = _photos(place, classes * shots)
    group = [
        ClassGuides(name, *zip(*((str(path), digest) for path, digest in own), strict=True))
        for name, own in zip(class_names(classes), np.array_split(np.array(photos, object), classes), strict=True)
    ]
    settings = LearnEmbeddingsSettings(embedding=Embedding(steps=3, batch=4), diffusion=_diffusion(models))
    diffusion, numbers = load_diffusion(settings.diffusion, CPU), count()
    return lambda: learn_group(
        diffusion, group, place / "words" / f"{next(numbers)}.safetensors", CELL, settings, MICRO_BATCH
    )


def _encoding(models: Path, place: Path, photos: int) -> Callable[[], object]:
    diffusion, paths = load_diffusion(_diffusion(models), CPU), [path for path, _ in _photos(place, photos)]
    return lambda: encode_guides(diffusion, paths, ["class"] * photos, MICRO_BATCH)


def _generating(models: Path, place: Path, images: int) -> Callable[[], object]:
    settings, ((photo, digest),), numbers = _generation(models), _photos(place, 1), count()
    diffusion = load_diffusion(settings.diffusion, CPU)
    words: dict[str, Tensor] = {"car": torch.zeros(1, diffusion.text_encoder.config.hidden_size)}

    def run() -> None:
        store = place / str(next(numbers))
        rows = [PlanRow("car", 0, str(photo), digest, n, "a photo of a <car>", 0.01, n, n) for n in range(images)]
        generate(diffusion, [(row, f"{row.number}.png") for row in rows], words, settings, store, MICRO_BATCH)

    return run


def _scoring(models: Path, place: Path, images: int, views: int) -> Callable[[], object]:
    backbone = load_backbone(BackboneModel(path=str(models / "resnet")), CPU)
    rows = [
        ManifestRow(path.name, "car", 0, number, "a photo of a <car>", 0.0, number, number, digest, MICRO_BATCH)
        for number, (path, digest) in enumerate(_photos(place, images))
    ]
    settings = ScoreImagesSettings(
        views=views,
        transform="confidence",
        normalize="guide_image",
        backbone=BackboneModel(path=str(models / "resnet")),
        image_size=EDGE,
    )
    width = backbone(torch.zeros(1, 3, EDGE, EDGE)).shape[1]
    head = new_head(("bus", "car"), width, seed=0)
    return lambda: score_images(
        backbone, head, 1.0, rows, settings, manifest=place, store=place, micro_batch=MICRO_BATCH, device=CPU
    )


def _extracting(models: Path, place: Path, images: int) -> Callable[[], object]:
    source = FeatureModel(path=str(models / "dinov2"), entry_point="dinov2_demo", image_size=EDGE)
    extractor, paths = load_feature_extractor(source, CPU), [path for path, _ in _photos(place, images)]
    return lambda: image_features(extractor, paths, size=EDGE, micro_batch=MICRO_BATCH, device=CPU)


def _points(number: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((number, WIDTH), np.float32)


def _diversity(points: int, _: Path) -> Callable[[], object]:
    real, synthetic = _points(points, 0), _points(points, 1)
    return lambda: diversity(real, synthetic, [3, 5])


def _weighted_diversity(points: int, _: Path) -> Callable[[], object]:
    real, synthetic = _points(points, 0), _points(points, 1)
    weights = np.random.default_rng(2).uniform(0.1, 1, points)
    return lambda: weighted_diversity(real, synthetic, weights, [3, 5])


def _auditing(points: int, _: Path) -> Callable[[], object]:
    cell = [Shot(role, "car", None, f"{role}{n}", f"{role}{n}") for role in ("val", "test") for n in range(points)]
    features = dict(zip((shot.path for shot in cell), _points(2 * points, 0), strict=True))
    return lambda: audit_cell(cell, 0, 4, features, 0.01, Path("shots.csv"))


def _find_missing(experiment: Experiment, _: Path) -> object:
    return missing_rows(experiment.plan, [row.file_name for row in experiment.manifest], experiment.store)


def _compose(experiment: Experiment, _: Path) -> object:
    return manifest_of(experiment.plan, [row.file_name for row in experiment.manifest], experiment.store)


def _verify(experiment: Experiment, _: Path) -> None:
    if findings := list(verify_results(experiment.results, experiment.store)):
        raise ValueError(f"undamaged results are reported as damaged: {findings[0]}")


def _find_unneeded(experiment: Experiment, _: Path) -> None:
    if unneeded := find_unneeded(experiment.results.parent, experiment.store).removable():
        raise ValueError(f"a needed file is reported as unneeded: {unneeded[0]}")


def _export(experiment: Experiment, output: Path) -> None:
    shares = read_shares(experiment.synthetic / "weights" / "paper.csv", [row.file_name for row in experiment.manifest])
    images = plan_export(
        experiment.shots, experiment.manifest, shares, synthetic_probability=0.7, store=experiment.store
    )
    place_images(images, output)


def _export_again(experiment: Experiment, output: Path) -> None:
    """Export into a folder of the experiment that the first call fills."""
    _export(experiment, experiment.results / "export")
