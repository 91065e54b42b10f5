"""The comparison of words that were learned in two precisions, on words and verdicts with known differences."""

import pytest
import torch

from demo.training.compare_word_precisions import compare, summary
from demo.world.draw_dataset import draw_photos
from diagen.embeddings.words_file import LearnedWord


def word(vector: list[float], loss: float) -> LearnedWord:
    return LearnedWord("car", torch.tensor([vector]), loss)


def test_differences_are_relative_to_float32_and_directions_to_the_initial_word() -> None:
    start = torch.tensor([1.0, 0.0])
    found = compare([word([1.0, 1.0], 0.2)], [word([2.0, 0.0], 0.21)], start)
    assert found["loss"] == [pytest.approx(0.05)]
    assert found["cosine"] == [pytest.approx(2**-0.5)]
    assert found["cosine_of_moves"] == [pytest.approx(0.0, abs=1e-6)]


def test_images_that_show_the_class_in_one_precision_only_are_counted() -> None:
    compared = {"loss": [0.01, 0.03], "cosine": [0.9, 1.0], "cosine_of_moves": [0.8, 1.0]}
    verdicts = {
        "float32": {"noise": [True, True, False, False], "img2img": [True] * 4},
        "bfloat16": {"noise": [True, False, True, False], "img2img": [True, True, True, False]},
    }
    figures = summary(compared, verdicts)
    assert (figures["words"], figures["loss_difference_largest"], figures["cosine_least"]) == (2, 0.03, 0.9)
    assert figures["noise_float32"] == figures["noise_bfloat16"] == 0.5
    assert figures["noise_only_float32"] == figures["noise_only_bfloat16"] == 1
    assert (figures["img2img_float32"], figures["img2img_bfloat16"], figures["img2img_only_float32"]) == (1.0, 0.75, 1)


def test_a_cell_has_its_own_guide_images_of_each_class() -> None:
    first, second = (draw_photos(seed, ["car", "pine tree"], "train-val", 4) for seed in (100, 101))
    assert list(first) == ["car", "pine tree"] and all(len(photos) == 4 for photos in first.values())
    assert first["car"][0].tobytes() != second["car"][0].tobytes()
