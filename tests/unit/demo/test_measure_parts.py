"""The measurements of what each part of DIAGen does in the demo world."""

import json

import numpy as np
import pytest
import torch

from demo.training import measure_models
from demo.training.architectures import MODELS
from demo.training.measure_parts import from_noise, roc_auc
from diagen.config import DiffusionModel
from diagen.models.diffusion import load_diffusion, word_vectors


def test_the_area_under_the_roc_is_the_share_of_pairs_in_order() -> None:
    generator = np.random.default_rng(0)
    for _ in range(20):
        scores = generator.integers(0, 6, 40) / 5
        right = generator.random(40) < 0.4
        pairs = [(a > b) + 0.5 * (a == b) for a in scores[right] for b in scores[~right]]
        assert roc_auc(scores.tolist(), right.tolist()) == pytest.approx(np.mean(pairs))


@pytest.mark.skipif(not (MODELS / "stable_diffusion/unet").exists(), reason="the model has not been trained")
def test_pictures_from_noise_depend_on_word_and_seed() -> None:
    diffusion = load_diffusion(
        DiffusionModel(path=str(MODELS / "stable_diffusion"), image_size=64), torch.device("cpu")
    )
    car, star = (word_vectors(diffusion, name) for name in ("car", "star"))
    words, vectors = ["<word>"] * 3, torch.stack([car, car, star])
    pictures = from_noise(diffusion, words, vectors, [1, 2, 1])
    assert pictures.shape == (3, 3, 64, 64) and 0 <= pictures.min() and pictures.max() <= 1
    assert not torch.allclose(pictures[0], pictures[1], atol=0.05)
    assert not torch.allclose(pictures[0], pictures[2], atol=0.05)


def test_the_card_shows_the_measurements_of_the_parts(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(measure_models, "metrics_path", lambda name: tmp_path / f"{name}.json")
    assert measure_models.parts_section() == ""
    card = tmp_path / "MODEL_CARD.md"
    shipped = (MODELS / "MODEL_CARD.md").read_text("utf-8")
    card.write_text(shipped, "utf-8")
    figures = {
        "learned_word_shows_its_class": 0.91,
        "initial_word_shows_that_class": 0.08,
        "word_vector_rms": 0.06,
        "feature_distance_at_0.36_rms": 0.1,
        "feature_distance_at_1.79_rms": 0.4,
        "confidence_auc": 0.83,
        "images_of_their_class": 0.7,
    }
    (tmp_path / "parts.json").write_text(json.dumps(figures))
    section = measure_models.parts_section()
    for text in ("91.0%", "8.0%", "0.36 RMS of a word's coordinates (0.022)", "0.830", "70.0%"):
        assert text in section
    # In the shipped card, only this section changes.
    measure_models.write_parts(tmp_path)
    assert section in card.read_text("utf-8") and "MODEL_CARD.md" in (tmp_path / "SHA256SUMS").read_text("utf-8")
    start, end = (shipped.index(f"## {heading}") for heading in ("What each part", "Training"))
    assert card.read_text("utf-8") == shipped[:start].rstrip() + "\n" + section + "\n" + shipped[end:]
