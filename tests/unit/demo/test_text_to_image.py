"""The small Stable Diffusion and its judge: vocabulary, shapes, and quality of the shipped weights."""

import numpy as np
import pytest
import torch
from transformers import CLIPTokenizer

from demo.training.architectures import MODELS
from demo.training.captions import training_caption
from demo.training.judge import load_judge
from demo.training.measure_models import measure, prompts_of
from demo.training.text_to_image import TEXT_LENGTH, TextToImage, generate_from_noise, new_tokenizer, tokenize
from demo.training.train_judge import drawn_scenes, truth
from demo.world.scenes import CLASSES, RARE_CLASSES, sample_scene
from diagen.embeddings.step_draws import TEMPLATES

needs_judge = pytest.mark.skipif(not (MODELS / "judge").exists(), reason="the judge has not been trained")
needs_model = pytest.mark.skipif(
    not (MODELS / "stable_diffusion" / "unet").exists(), reason="the text-to-image model has not been trained"
)


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> CLIPTokenizer:
    """The tokenizer, written and loaded again."""
    return new_tokenizer(tmp_path_factory.mktemp("tokenizer"))


def test_every_caption_word_is_one_token(tokenizer: CLIPTokenizer) -> None:
    generator = np.random.default_rng(1)
    captions = [training_caption(sample_scene(generator), generator) for _ in range(300)]
    for caption in [*captions, *(template.format("star") for template in TEMPLATES)]:
        words = caption.replace("-", " - ").split()
        assert tokenizer.tokenize(caption) == [f"{word}</w>" for word in words]
        assert len(words) + 2 <= TEXT_LENGTH


def test_other_words_fall_back_to_letters(tokenizer: CLIPTokenizer) -> None:
    for name in RARE_CLASSES:
        assert len(tokenizer.tokenize(name)) > 1
        assert tokenizer.decode(tokenizer(name).input_ids, skip_special_tokens=True).strip() == name


def test_the_network_predicts_noise_of_the_latents_shape(tokenizer: CLIPTokenizer) -> None:
    torch.manual_seed(0)
    tokens = tokenize(tokenizer, ["a photo of a car", ""])
    assert tokens.shape == (2, TEXT_LENGTH)
    predicted = TextToImage(tokenizer)(torch.randn(2, 4, 16, 16), torch.tensor([10, 900]), tokens)
    assert predicted.shape == (2, 4, 16, 16) and bool(predicted.isfinite().all())


def test_prompts_of_the_measurement_name_class_and_color() -> None:
    for row in prompts_of(np.random.default_rng(0)):
        assert f" {row['class']} " in row["prompt"] and f" {row['color']} " in row["prompt"]


@needs_judge
def test_the_judge_is_right_on_unseen_scenes() -> None:
    scenes, images = drawn_scenes([424242], 600)
    answers = load_judge().answers(images)
    for question in ("class", "place"):
        right = [a == b for a, b in zip(answers[question], truth(scenes)[question], strict=True)]
        assert np.mean(right) >= 0.98


@needs_judge
@needs_model
def test_pictures_show_the_classes_of_their_prompts() -> None:
    """A quick check; the slow test checks the goals (class 90 %, place and color 80 % of 500 prompts)."""
    prompts = [f"a photo of a {name} on the beach" for name in CLASSES]
    folder = MODELS / "stable_diffusion"
    answers = load_judge().answers(generate_from_noise(folder, prompts, seed=1, steps=15))
    assert np.mean([shown == name for shown, name in zip(answers["class"], CLASSES, strict=True)]) >= 0.7


@needs_judge
@needs_model
@pytest.mark.slow
def test_the_quality_goals_are_met() -> None:
    metrics = measure("cpu")
    assert metrics["class"] >= 0.90 and metrics["place"] >= 0.80 and metrics["color"] >= 0.80
    assert metrics["most_shown_without_class"] < 0.20


@needs_model
def test_generated_pictures_belong_to_their_seed() -> None:
    folder = MODELS / "stable_diffusion"
    prompts = ["a photo of a red car", "a photo of a key in space"]
    both = generate_from_noise(folder, prompts, seed=5, steps=3)
    second = generate_from_noise(folder, prompts[1:], seed=6, steps=3)
    torch.testing.assert_close(both[1], second[0], atol=1e-3, rtol=0)
