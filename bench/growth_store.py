"""An experiment of any number of tiny synthetic images, as the workflow lays out its results, written in seconds."""

import hashlib
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from diagen.data.shots_file import Shot, write_shots
from diagen.files.made_with import made_with, to_text
from diagen.files.store_layout import image_file_name
from diagen.generation.fill import MADE_WITH
from diagen.generation.manifest_file import ManifestRow, write_manifest
from diagen.generation.plan_file import PlanRow, write_plan
from diagen.models.pseudo_words import pseudo_word
from diagen.seeds import stable_hash
from diagen.weighting.weights_file import WeightRow, write_weights

SHOTS, IMAGES_PER_GUIDE = 8, 10
EDGE = 8  # pixels


@dataclass(frozen=True)
class Experiment:
    """The folders of an experiment with one cell, and the rows of its tables."""

    results: Path
    store: Path
    synthetic: Path
    shots: list[Shot]
    plan: list[PlanRow]
    manifest: list[ManifestRow]


def class_names(count: int) -> list[str]:
    """Different names of `count` classes, at most 8,000, in two words: those of real classes share few letters."""
    syllables = "ba ce di fo gu ha je ki lo mu na pe qui ro su ta ve wi xo zu".split()
    return [
        f"{syllables[number % 20]}{syllables[number // 20 % 20]}_{syllables[number // 400]}n" for number in range(count)
    ]


def write_experiment(folder: Path, images: int) -> Experiment:
    """Write photos, tables and `images` synthetic images into `folder`: 80 of each class, a multiple of 80."""
    results, store = folder / "results" / "growth", folder / "results" / "store"
    cell = results / "photos" / "seed0" / f"shots{SHOTS}"
    synthetic = cell / "synthetic" / "diagen"
    (results / "logs").mkdir(parents=True)
    photos = folder / "photos"
    photos.mkdir()
    for number in range(256):
        (store / "images" / f"{number:02x}").mkdir(parents=True)
    made = to_text(made_with(["torch", "diffusers", "transformers"], torch_threads=1, micro_batch=8))
    pixels = np.random.default_rng(0).integers(0, 256, (images + images // IMAGES_PER_GUIDE, EDGE, EDGE, 3), np.uint8)
    shots: list[Shot] = []
    plan: list[PlanRow] = []
    manifest: list[ManifestRow] = []
    for name in class_names(images // (SHOTS * IMAGES_PER_GUIDE)):
        for guide in range(SHOTS):
            path = photos / f"{name}-{guide}.png"
            photo = _write_png(pixels[images + len(shots)], path)
            shots.append(Shot("guide", name, guide, str(path), photo))
            for number in range(IMAGES_PER_GUIDE):
                row = PlanRow(
                    name,
                    guide,
                    str(path),
                    photo,
                    number,
                    f"a photo of a {pseudo_word(name)} in the snow at night",
                    0.005 * (number % 4),
                    len(plan),
                    len(plan),
                )
                file_name = image_file_name(stable_hash(name, guide, number))
                digest = _write_png(pixels[len(plan)], store / file_name, made)
                plan.append(row)
                seeds = (row.noise_level, row.noise_seed, row.image_seed)
                manifest.append(ManifestRow(file_name, name, guide, number, row.prompt, *seeds, digest, 8))
    write_shots(shots, cell / "shots.csv")
    write_plan(plan, synthetic / "plan.csv")
    write_manifest(manifest, synthetic / "manifest.csv")
    share = 1 / IMAGES_PER_GUIDE
    write_weights((WeightRow(row.file_name, 0.5, 1.0, share) for row in manifest), synthetic / "weights" / "paper.csv")
    np.save(synthetic / "features.npy", np.zeros((images, 384), np.float32))
    return Experiment(results, store, synthetic, shots, plan, manifest)


def _write_png(pixels: np.ndarray, path: Path, made: str | None = None) -> str:
    """Write an image, with its record if it is synthetic, and return the SHA-256 of the file."""
    texts, buffer = PngInfo(), BytesIO()
    if made:
        texts.add_text(MADE_WITH, made)
    Image.fromarray(pixels).save(buffer, "PNG", compress_level=1, pnginfo=texts)
    path.write_bytes(buffer.getvalue())
    return hashlib.sha256(buffer.getvalue()).hexdigest()
