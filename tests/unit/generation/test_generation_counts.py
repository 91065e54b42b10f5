"""Counts of generation: passes of each part of the model, photos that are decoded, and models that a job loads."""

import hashlib
import json
import math
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import generate_images
from diagen.config import DiffusionModel
from diagen.config.programs import GenerateImagesSettings
from diagen.embeddings.words_file import LearnedWord, write_words
from diagen.generation import fill, img2img
from diagen.generation.fill import generate, image_names
from diagen.generation.plan_file import PlanRow, write_plan
from diagen.models.diffusion import Diffusion, load_diffusion

GUIDES, IMAGES, MICRO_BATCH = 5, 14, 4


@pytest.fixture(scope="module")
def model(stand_ins: Path) -> DiffusionModel:
    return DiffusionModel(path=str(stand_ins / "stable_diffusion"), image_size=32, sha256="0" * 64)


@pytest.fixture(scope="module")
def diffusion(model: DiffusionModel) -> Diffusion:
    return load_diffusion(model, torch.device("cpu"))


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> list[PlanRow]:
    """Fourteen images of two classes, from five guide images."""
    folder = tmp_path_factory.mktemp("guides")
    pixels = np.random.default_rng(0).integers(0, 256, (GUIDES, 40, 50, 3), dtype=np.uint8)
    for number, photo in enumerate(pixels):
        Image.fromarray(photo).save(folder / f"{number}.png")
    rows = []
    for number in range(IMAGES):
        guide = number % GUIDES
        name, path = ("car", "boat")[guide % 2], folder / f"{guide}.png"
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        rows.append(PlanRow(name, guide, str(path), digest, number, f"a photo of a <{name}>", 0.01, number, number))
    return rows


@pytest.fixture(scope="module")
def words(diffusion: Diffusion) -> dict[str, torch.Tensor]:
    return {name: torch.zeros(1, diffusion.text_encoder.config.hidden_size) for name in ("car", "boat")}


@pytest.fixture
def passes(diffusion: Diffusion) -> Iterator[dict[str, list[int]]]:
    """The number of rows of each pass of each part of the model."""
    parts = {
        "unet": diffusion.unet,
        "encode": diffusion.vae.encoder,
        "decode": diffusion.vae.decoder,
        "text": diffusion.text_encoder,
    }
    found: dict[str, list[int]] = {name: [] for name in parts}
    handles = [
        part.register_forward_pre_hook(lambda _, inputs, name=name: found[name].append(len(inputs[0])))
        for name, part in parts.items()
    ]
    yield found
    for handle in handles:
        handle.remove()


@pytest.mark.parametrize(("strength", "evaluations"), [(0.7, 36), (0.5, 26)])
def test_each_micro_batch_takes_its_evaluations_once(
    diffusion: Diffusion,
    model: DiffusionModel,
    rows: list[PlanRow],
    words: dict[str, torch.Tensor],
    passes: dict[str, list[int]],
    tmp_path: Path,
    strength: float,
    evaluations: int,
) -> None:
    """With guidance in the same pass; guide images are encoded once, not once per image."""
    settings = GenerateImagesSettings(strength=strength, guidance_scale=7.5, inference_steps=50, diffusion=model)
    named = [(row, f"{row.number}.png") for row in rows]
    generate(diffusion, named, words, settings, tmp_path, MICRO_BATCH)
    batches = math.ceil(IMAGES / MICRO_BATCH)
    assert passes == {
        "unet": [2 * MICRO_BATCH] * evaluations * batches,
        "encode": [MICRO_BATCH] * math.ceil(GUIDES / MICRO_BATCH),
        "decode": [MICRO_BATCH] * batches,
        "text": [MICRO_BATCH] * 2 * batches,
    }
    generate(diffusion, named, words, settings, tmp_path, MICRO_BATCH)
    assert len(passes["unet"]) == evaluations * batches, "images in the store are not generated again"


def test_photos_are_decoded_once_and_a_pass_at_a_time(
    diffusion: Diffusion,
    model: DiffusionModel,
    rows: list[PlanRow],
    words: dict[str, torch.Tensor],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """All decoded photos of a large cell would not fit into memory."""
    together, decoded = [], Counter()
    encode_guides, load_image = fill.encode_guides, img2img.load_image

    def encode(diffusion: Diffusion, paths: list[Path], *others: object) -> object:
        together.append(len(paths))
        return encode_guides(diffusion, paths, *others)

    def load(path: Path) -> Image.Image:
        decoded[path] += 1
        return load_image(path)

    monkeypatch.setattr(fill, "encode_guides", encode)
    monkeypatch.setattr(img2img, "load_image", load)
    settings = GenerateImagesSettings(strength=0.1, guidance_scale=7.5, inference_steps=10, diffusion=model)
    generate(diffusion, [(row, f"{row.number}.png") for row in rows], words, settings, tmp_path, MICRO_BATCH)
    assert together == [MICRO_BATCH, GUIDES - MICRO_BATCH]
    assert decoded == Counter(Path(row.guide_path) for row in rows[:GUIDES])


def test_naming_an_image_looks_at_no_other_class(
    model: DiffusionModel, rows: list[PlanRow], words: dict[str, torch.Tensor]
) -> None:
    class Words(dict):
        def __iter__(self) -> Iterator[str]:
            raise AssertionError("all classes are looked at")

    settings = GenerateImagesSettings(strength=0.7, guidance_scale=7.5, inference_steps=50, diffusion=model)
    assert image_names(rows, Words(words), settings) == image_names(rows, words, settings)


def test_a_job_loads_its_model_once_and_only_if_images_are_missing(
    model: DiffusionModel,
    rows: list[PlanRow],
    words: dict[str, torch.Tensor],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    loads = []
    monkeypatch.setattr(
        "diagen.models.diffusion.load_diffusion",
        lambda *arguments: (loads.append(arguments), load_diffusion(*arguments))[1],
    )
    write_plan(rows, tmp_path / "plan.csv")
    made = (("torch", "2"),)
    write_words(
        [LearnedWord(name, vectors, 0.0, made) for name, vectors in words.items()], tmp_path / "words.safetensors"
    )
    settings = {"strength": 0.1, "guidance_scale": 7.5, "inference_steps": 10}
    diffusion = model.model_dump(mode="json", exclude={"sha256"})
    monkeypatch.setattr(
        "sys.argv",
        ["generate_images.py", *map(str, (tmp_path / "plan.csv", tmp_path / "words.safetensors"))]
        + ["--settings", json.dumps({**settings, "diffusion": diffusion}), "--store", str(tmp_path / "store")]
        + ["--output", str(tmp_path / "manifest.csv"), "--device", "cpu", "--torch-threads", "1", "--micro-batch", "4"],
    )
    for _ in range(2):
        generate_images.main()
        assert len(loads) == 1
    next((tmp_path / "store").rglob("*.png")).unlink()
    generate_images.main()
    assert len(loads) == 2
