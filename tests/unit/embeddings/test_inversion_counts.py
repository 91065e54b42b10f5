"""Counts of inversion: passes per step, encoded photos, and models that a job loads."""

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

import learn_embeddings
from diagen.data.shots_file import Shot, write_shots
from diagen.embeddings import word_groups
from diagen.models.diffusion import Diffusion, load_diffusion

CLASSES, SHOTS, TOGETHER, STEPS, BATCH = 4, 3, 2, 5, 2


@pytest.fixture
def cell_file(tmp_path: Path) -> Path:
    """A cell of four classes with three photos each."""
    pixels = np.random.default_rng(0).integers(0, 256, (CLASSES * SHOTS, 40, 50, 3), dtype=np.uint8)
    shots = []
    for number, photo in enumerate(pixels):
        path = tmp_path / f"{number}.png"
        Image.fromarray(photo).save(path)
        shots.append(Shot("guide", f"class_{number // SHOTS}", number % SHOTS, str(path), f"{number:064}"))
    write_shots(shots, tmp_path / "shots.csv")
    return tmp_path / "shots.csv"


def test_a_step_takes_one_pass_and_a_photo_two_encodings(
    cell_file: Path, stand_ins: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A photo and its flip are encoded once, not once per step; a job loads its model once for all groups of words."""
    passes: dict[str, list[int]] = {"unet": [], "text": []}
    encoded: Counter[bytes] = Counter()
    loaded = []

    def count_encoded(_: torch.nn.Module, inputs: tuple[Tensor]) -> None:
        # A short pass is padded with copies of its last row.
        encoded.update({row.numpy().tobytes() for row in inputs[0]})

    def load(*arguments: object) -> Diffusion:
        diffusion = load_diffusion(*arguments)
        for name, part in (("unet", diffusion.unet), ("text", diffusion.text_encoder)):
            part.register_forward_pre_hook(lambda _, inputs, name=name: passes[name].append(len(inputs[0])))
        diffusion.vae.encoder.register_forward_pre_hook(count_encoded)
        loaded.append(diffusion)
        return diffusion

    monkeypatch.setattr(word_groups, "load_diffusion", load)
    model = {"path": str(stand_ins / "stable_diffusion"), "image_size": 32}
    settings = {"embedding": {"steps": STEPS, "batch": BATCH, "dtype": "float32"}, "diffusion": model}
    monkeypatch.setattr(
        "sys.argv",
        ["learn_embeddings.py", str(cell_file), "--settings", json.dumps(settings), "--dataset", "world"]
        + ["--seed", "0", "--shots", str(SHOTS), "--store", str(tmp_path / "store"), "--words-together", str(TOGETHER)]
        + ["--output", str(tmp_path / "words.safetensors"), "--device", "cpu", "--torch-threads", "1"],
    )
    for _ in range(2):
        learn_embeddings.main()
        groups = CLASSES // TOGETHER
        assert passes == {name: [TOGETHER * BATCH] * STEPS * groups for name in ("unet", "text")}
        assert list(encoded.values()) == [1] * 2 * CLASSES * SHOTS
        assert len(loaded) == 1, "words in the store need no model"
