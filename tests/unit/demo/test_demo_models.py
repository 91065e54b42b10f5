"""The shipped small models load with the loaders of the real ones and behave like them."""

import hashlib
import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from llama_cpp import Llama
from safetensors import safe_open
from transformers import ResNetForImageClassification

from demo.training import train_dinov2, train_llama, train_resnet
from demo.training.architectures import MODELS
from demo.training.softness import blur, soften
from demo.world.scenes import CLASSES, RARE_CLASSES
from diagen.config import ComposedPrompts
from diagen.prompts.composed import compose, compose_class_prompts
from diagen.prompts.judging import Judge

MEGABYTE = 1_000_000


def shipped(name: str) -> Path:
    """The path of a shipped model; skips the test if the model has not been trained."""
    path = MODELS / name
    if not path.exists():
        pytest.skip(f"demo/models/{name} is missing: `make demo-models` trains it")
    return path


def test_all_shipped_files_are_small_and_none_is_a_pickle() -> None:
    files = [path for path in MODELS.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    assert sum(path.stat().st_size for path in files) <= 30 * MEGABYTE
    assert {path.suffix for path in files} <= {".safetensors", ".gguf", ".json", ".txt", ".md", ".py", ""}


def test_checksums_name_every_shipped_file() -> None:
    lines = shipped("SHA256SUMS").read_text().splitlines()
    listed = dict(reversed(line.split("  ", 1)) for line in lines)
    for name, digest in listed.items():
        assert hashlib.sha256((MODELS / name).read_bytes()).hexdigest() == digest, f"demo/models/{name} was changed"
    weights = {
        path.relative_to(MODELS).as_posix()
        for ending in ("safetensors", "gguf")
        for path in MODELS.rglob(f"*.{ending}")
    }
    assert weights <= listed.keys()


# ---------------------------------------------------------------- Llama


@pytest.fixture(scope="module")
def llama() -> Llama:
    return Llama(str(shipped("llama.gguf")), n_ctx=1024, n_threads=1, verbose=False)


def test_llama_writes_sensible_prompts_under_a_grammar(llama: Llama) -> None:
    for name in ("pine tree", "airplane", "umbrella"):
        lines = train_llama.ask(llama, "paper", name, 10, seed=1)
        assert len(lines) == 10
        assert sum(train_llama.is_sensible(line, name) for line in lines) >= 8, lines
        assert len(set(train_llama.named_places(lines))) >= 4, lines


def test_llama_repeats_answers_only_with_the_same_seed(llama: Llama) -> None:
    first, again, other = (train_llama.ask(llama, "paper", "fish", 5, seed) for seed in (1, 1, 2))
    assert first == again != other


def test_llama_needs_no_grammar(llama: Llama) -> None:
    lines = train_llama.ask(llama, "plain", "coffee mug", 6, seed=3, free=True)
    assert sum(train_llama.is_sensible(line, "coffee mug") for line in lines) >= 5, lines


def test_instructions_change_what_llama_writes(llama: Llama) -> None:
    def share_of_common(instruction: str) -> float:
        pairs = [(name, place) for name in CLASSES[:5] for place in places_of(instruction, name)]
        return sum(place in train_llama.COMMON_PLACES[name] for name, place in pairs) / len(pairs)

    def places_of(instruction: str, name: str) -> list[str]:
        return list(train_llama.named_places(train_llama.ask(llama, instruction, name, 10, seed=4)))

    assert share_of_common("edge_cases") < 0.3 < share_of_common("paper")
    words = {
        kind: sum(len(line.split()) for line in train_llama.ask(llama, kind, "car", 10, 5))
        for kind in ("plain", "paper")
    }
    assert words["plain"] > words["paper"]


def test_llama_writes_prompts_that_are_composed(llama: Llama) -> None:
    """With the library's own calls, as in config/demo_experiments.yaml, and few lines that are refused."""
    files = {kind: str(train_llama.FOLDER / "composed" / f"{kind}.txt") for kind in ("adjectives", "settings")}
    names = ["coffee_mug", "house", "umbrella"]
    block = ComposedPrompts(source="composed", **files)
    texts = [Path(file).read_text("utf-8") for file in files.values()]
    lines = list(compose_class_prompts(llama, names, *texts, block))
    assert sum(each.verdict == "kept" for each in lines) == 10 * len(names)
    assert sum(each.verdict not in ("kept", "spare") for each in lines) <= len(lines) / 4, lines
    looks = set(train_llama.SMALL_WORDS + train_llama.LARGE_WORDS + train_llama.COLORS)
    known = [each for each in lines if set(each.line.split(f" {each.class_name.replace('_', ' ')}")[0].split()) & looks]
    assert len(known) >= 0.8 * len(lines), lines


def test_instructions_are_short_and_have_both_placeholders() -> None:
    assert set(train_llama.INSTRUCTIONS) == set(train_llama.HABITS)
    for text in train_llama.INSTRUCTIONS.values():
        assert set(re.findall(r"{.*?}", text)) == {"{num_prompts}", "{class_name}"}
        assert len(text.split()) <= 220


def test_answers_to_learn_from_are_sensible_and_distinct() -> None:
    generator = np.random.default_rng(0)
    for kind in train_llama.HABITS:
        for name in ("orange tree", "pine tree", train_llama.invented_name(generator)):
            lines = train_llama.answer(generator, kind, name, 20)
            assert len(set(lines)) == 20
            assert all(train_llama.is_sensible(line, name) for line in lines)


def test_composed_answers_to_learn_from_make_valid_prompts() -> None:
    generator = np.random.default_rng(0)
    looks, scenes = (train_llama.composed_answer(generator, kind, 20) for kind in ("adjectives", "settings"))
    assert len(set(looks)) == len(set(scenes)) == 20
    judge = Judge("coffee_mug", ["coffee_mug"])
    assert all(judge.refusal(compose(*pair)) is None for pair in zip(looks, ["coffee_mug"] * 20, scenes, strict=True))


@pytest.mark.parametrize("step", [train_llama.COPYING_STEPS + 3, train_llama.COMPOSING_STEP + 2])
def test_only_the_answer_is_learned(step: int) -> None:
    words = train_llama.vocabulary()
    tokens, targets = train_llama.batch(step, words)
    for row, goals in zip(tokens, targets, strict=True):
        learned = (goals >= 0).nonzero()[:, 0]
        assert torch.equal(goals[learned], row[learned + 1] if goals[learned[-1]] == row[-1] else goals[learned])
        question = "".join(words.tokens[number] for number in row[: learned[0] + 1])
        assert question.endswith("assistantĊ")
        assert words.tokens[goals[learned[-1]]] == "<|im_end|>"


# ---------------------------------------------------------------- DINOv2


def test_dinov2_has_the_interface_of_the_original() -> None:
    shipped("dinov2/dinov2_demo.safetensors")
    model = torch.hub.load(str(MODELS / "dinov2"), "dinov2_demo", source="local")
    images = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        features = model(images)
        assert features.shape == (2, model.embed_dim) and features.dtype == torch.float32
        assert torch.equal(features, model.forward_features(images)["x_norm_clstoken"])
        assert model(torch.randn(1, 3, 224, 224)).shape == (1, model.embed_dim)
        random = torch.hub.load(str(MODELS / "dinov2"), "dinov2_demo", source="local", pretrained=False)
        assert not torch.allclose(random(images), features)


def test_dinov2_distinguishes_classes_places_and_colors() -> None:
    shipped("dinov2/dinov2_demo.safetensors")
    model = torch.hub.load(str(MODELS / "dinov2"), "dinov2_demo", source="local")
    known, gallery = train_dinov2.scenes_and_images([1, 1], 1200)
    unseen, queries = train_dinov2.scenes_and_images([1, 2], 200)
    distances = torch.cdist(train_dinov2.features_of(model, queries), train_dinov2.features_of(model, gallery))
    nearest = distances.argmin(1)
    right = train_dinov2.answers(known)[nearest, :3] == train_dinov2.answers(unseen)[:, :3]
    assert (right.float().mean(0) > torch.tensor([0.85, 0.85, 0.7])).all(), right.float().mean(0)


# ---------------------------------------------------------------- ResNet


def test_resnet_loads_and_knows_only_other_objects() -> None:
    folder = shipped("resnet/model.safetensors").parent
    model = ResNetForImageClassification.from_pretrained(folder, dtype=torch.float32).eval()
    assert not set(model.config.id2label.values()) & {*CLASSES, *RARE_CLASSES}
    labels, images = train_resnet.objects_and_images([1, 1], 400)
    with torch.no_grad():
        right = model(train_resnet.normalize(images)).logits.argmax(1) == labels
    assert right.float().mean() > 0.6, "of 160 classes"
    processor = json.loads((folder / "preprocessor_config.json").read_text())
    assert processor["image_mean"] == processor["image_std"] == [0.5, 0.5, 0.5]


def test_resnet_features_distinguish_unseen_classes() -> None:
    folder = shipped("resnet/model.safetensors").parent
    model = ResNetForImageClassification.from_pretrained(folder, dtype=torch.float32).eval()
    torch.manual_seed(0)
    figures = train_resnet.measure(model, model.resnet)
    assert figures["few_shot_common"] > 0.8 and figures["few_shot_uncommon"] > 0.75


@pytest.mark.parametrize("name", ["dinov2/dinov2_demo.safetensors", "resnet/model.safetensors"])
def test_weights_are_stored_in_half_precision(name: str) -> None:
    with safe_open(shipped(name), "pt") as file:
        kinds = {file.get_tensor(key).dtype for key in file.keys()}
    assert torch.float16 in kinds and kinds <= {torch.float16, torch.int64}


# ---------------------------------------------------------------- softness


def test_softened_images_depend_only_on_the_generator() -> None:
    images = torch.rand(8, 3, 16, 16)
    first, again, other = (soften(images, torch.Generator().manual_seed(seed)) for seed in (0, 0, 1))
    assert torch.equal(first, again) and not torch.equal(first, other)
    assert first.shape == images.shape and 0 <= first.min() and first.max() <= 1


def test_blur_is_each_images_own() -> None:
    images, sigma = torch.rand(3, 3, 12, 12), torch.tensor([0.05, 0.6, 1.1]).view(3, 1, 1, 1)
    together = blur(images, sigma)
    assert torch.allclose(together[0], images[0], atol=1e-5)
    for index in range(3):
        torch.testing.assert_close(together[index], blur(images[index : index + 1], sigma[index : index + 1])[0])
    offsets = torch.arange(-3.0, 4.0)
    kernel = torch.exp(-(offsets**2) / (2 * 1.1**2))
    kernel = torch.outer(kernel, kernel) / kernel.sum() ** 2
    torch.testing.assert_close(together[2, 0, 6, 6], (images[2, 0, 3:10, 3:10] * kernel).sum())
