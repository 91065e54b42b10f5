"""Half precision on the CPU with the demo's models: latents and images are finite and close to those of float32."""

import hashlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw
from torch import Tensor

from diagen.config import DiffusionModel
from diagen.config.programs import GenerateImagesSettings
from diagen.generation.fill import generate
from diagen.generation.img2img import encode_guides
from diagen.generation.plan_file import PlanRow
from diagen.models.diffusion import load_diffusion, word_vectors

CPU = torch.device("cpu")
GRAY_LEVELS = {"float16": 4, "bfloat16": 24}
"""The largest accepted difference of 255."""
LATENTS = {"float16": 0.01, "bfloat16": 0.06}


@pytest.fixture(scope="module")
def guide(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("guide") / "guide.png"
    image = Image.new("RGB", (64, 64), (90, 160, 230))
    ImageDraw.Draw(image).ellipse((12, 20, 50, 48), fill=(220, 40, 30))
    image.save(path)
    return path


def made_with(dtype: str, guide: Path, folder: Path) -> tuple[Tensor, Mapping[str, np.ndarray]]:
    """The posterior's mean of the guide image, and two images by their file names."""
    model = DiffusionModel(path="demo/models/stable_diffusion", image_size=64, dtype=dtype)
    diffusion = load_diffusion(model, CPU)
    (posterior,) = encode_guides(diffusion, [guide], ["car"], micro_batch=1)
    settings = GenerateImagesSettings(strength=0.7, guidance_scale=4.0, inference_steps=8, diffusion=model)
    digest = hashlib.sha256(guide.read_bytes()).hexdigest()
    rows = [PlanRow("car", 0, str(guide), digest, n, "a photo of a <car> in snow", 0.02, n, n + 7) for n in range(2)]
    words = {"car": word_vectors(diffusion, "car")[:1]}
    generate(diffusion, [(row, f"{row.number}.png") for row in rows], words, settings, folder, micro_batch=2)
    return posterior.mean, {path.name: np.asarray(Image.open(path)).astype(int) for path in folder.iterdir()}


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_images_are_close_to_those_of_float32(guide: Path, tmp_path: Path, dtype: str) -> None:
    mean, images = made_with(dtype, guide, tmp_path / dtype)
    expected_mean, expected = made_with("float32", guide, tmp_path / "float32")
    assert (mean - expected_mean).abs().max() <= LATENTS[dtype]
    assert images.keys() == expected.keys() and len(images) == 2
    for name, image in images.items():
        assert 0 < np.abs(image - expected[name]).max() <= GRAY_LEVELS[dtype]
        assert expected[name].std() > 20
