"""Textual Inversion: words do not depend on the other words of a batch or on interruptions."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from diagen.cells import Cell
from diagen.config import DiffusionModel, Embedding
from diagen.config.programs import LearnEmbeddingsSettings
from diagen.data.shots_file import Shot
from diagen.embeddings import word_groups
from diagen.embeddings.inversion import (
    ClassImages,
    add_gradients,
    encode_classes,
    learn_words,
    recomputed_activations,
    square,
)
from diagen.embeddings.word_groups import ClassGuides, group_classes, group_path, learn_group
from diagen.embeddings.words_file import LearnedWord, read_learned_words, write_words
from diagen.errors import InputError
from diagen.models.diffusion import Diffusion, load_diffusion, word_vectors

SETTINGS = Embedding(steps=50, batch=2, learning_rate=1e-3, vectors=2)


@pytest.fixture(scope="module")
def diffusion(stand_ins: Path) -> Diffusion:
    model = DiffusionModel(path=str(stand_ins / "stable_diffusion"), image_size=32)
    return load_diffusion(model, torch.device("cpu"))


@pytest.fixture(scope="module")
def classes(diffusion: Diffusion) -> list[ClassImages]:
    generator = np.random.default_rng(3)
    pixels = generator.integers(0, 256, (3, 2, 40, 48, 3), dtype=np.uint8)
    photos = {
        name: [Image.fromarray(image) for image in images]
        for name, images in zip(["car", "fish", "pine_tree"], pixels, strict=True)
    }
    return encode_classes(diffusion, photos, ("world", 0, 2), crop="squash", micro_batch=4)


@settings(max_examples=10)
@given(
    counts=st.lists(st.integers(1, 4), min_size=1, max_size=4),
    micro_batch=st.integers(1, 6),
    seed=st.integers(0, 2**32 - 1),
)
def test_classes_encoded_together_have_the_bits_of_each_alone_in_fewer_passes(
    diffusion: Diffusion, counts: list[int], micro_batch: int, seed: int
) -> None:
    generator = np.random.default_rng(seed)
    photos = {
        f"class {number}": [
            Image.fromarray(pixels) for pixels in generator.integers(0, 256, (count, 20, 24, 3), "uint8")
        ]
        for number, count in enumerate(counts)
    }
    options = {"crop": "center", "micro_batch": micro_batch}
    passes = []
    handle = diffusion.vae.encoder.register_forward_pre_hook(lambda _, inputs: passes.append(len(inputs[0])))
    try:
        together = encode_classes(
            diffusion, {name: iter(images) for name, images in photos.items()}, ("w", 0), **options
        )
    finally:
        handle.remove()
    assert passes == [micro_batch] * -(-2 * sum(counts) // micro_batch)
    for item, (name, images) in zip(together, photos.items(), strict=True):
        (alone,) = encode_classes(diffusion, {name: images}, ("w", 0), **options)
        assert (item.class_name, item.seed_parts) == (name, ("w", 0)) and item.mean.shape[:2] == (len(images), 2)
        assert torch.equal(item.mean, alone.mean) and torch.equal(item.deviation, alone.deviation)


def gradients(
    diffusion: Diffusion, classes: list[ClassImages], words: torch.Tensor, micro_batch: int | None = None
) -> torch.Tensor:
    words = words.clone().requires_grad_(True)
    add_gradients(diffusion, classes, words, SETTINGS, 7, micro_batch or len(classes) * SETTINGS.batch)
    return words.grad


def test_a_words_gradient_is_its_own(diffusion: Diffusion, classes: list[ClassImages]) -> None:
    words = torch.randn(3, 2, diffusion.text_encoder.config.hidden_size, generator=torch.Generator().manual_seed(0))
    together = gradients(diffusion, classes, words)
    alone = [gradients(diffusion, [item], words[index : index + 1]) for index, item in enumerate(classes)]
    assert together.abs().amax() > 1e-5
    assert torch.allclose(together, torch.cat(alone), rtol=0, atol=1e-6)


@pytest.mark.parametrize("micro_batch", [1, 2, 4, 5])
def test_the_gradients_of_passes_add_up_to_those_of_the_whole_batch(
    diffusion: Diffusion, classes: list[ClassImages], micro_batch: int
) -> None:
    words = torch.randn(3, 2, diffusion.text_encoder.config.hidden_size, generator=torch.Generator().manual_seed(1))
    whole, parts = gradients(diffusion, classes, words), gradients(diffusion, classes, words, micro_batch)
    assert (parts - whole).norm() <= 1e-5 * whole.norm()
    assert not torch.equal(whole, torch.zeros_like(whole))


def test_passes_have_one_size_and_each_row_counts_once(diffusion: Diffusion, classes: list[ClassImages]) -> None:
    shapes = []
    handle = diffusion.unet.register_forward_pre_hook(lambda _, inputs: shapes.append(len(inputs[0])))
    words = torch.zeros(3, 2, diffusion.text_encoder.config.hidden_size, requires_grad=True)
    whole = add_gradients(diffusion, classes, words, SETTINGS, 3, 6)
    parts = add_gradients(diffusion, classes, words, SETTINGS, 3, 4)
    handle.remove()
    assert shapes == [6, 4, 4]
    assert torch.allclose(whole, parts, rtol=1e-5)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_recomputed_activations_change_no_bit(diffusion: Diffusion, classes: list[ClassImages], dtype: str) -> None:
    settings = SETTINGS.model_copy(update={"steps": 4, "dtype": dtype})
    kept = learn_words(diffusion, classes, settings)
    calls = []
    handle = diffusion.unet.up_blocks[-1].resnets[0].register_forward_pre_hook(lambda *_: calls.append(None))
    with recomputed_activations(diffusion.unet, True):
        recomputed = learn_words(diffusion, classes, settings)
    inside = len(calls)
    learn_words(diffusion, classes, settings)
    handle.remove()
    assert inside == 2 * settings.steps and len(calls) == 3 * settings.steps, "recomputed inside the block only"
    assert all(torch.equal(one.vectors, two.vectors) for one, two in zip(kept, recomputed, strict=True))
    assert [word.loss for word in kept] == [word.loss for word in recomputed]


def test_a_word_in_bfloat16_is_close_to_that_in_float32(diffusion: Diffusion, classes: list[ClassImages]) -> None:
    single, half = (
        learn_words(diffusion, classes, SETTINGS.model_copy(update={"steps": 20, "dtype": dtype}))
        for dtype in ("float32", "bfloat16")
    )
    for one, other in zip(single, half, strict=True):
        assert not torch.equal(one.vectors, other.vectors)
        assert other.vectors.dtype == torch.float32 and other.loss == pytest.approx(one.loss, rel=0.01)


def test_words_learned_together_are_those_learned_alone(diffusion: Diffusion, classes: list[ClassImages]) -> None:
    together = learn_words(diffusion, classes, SETTINGS)
    start = word_vectors(diffusion, "the")
    for index, item in enumerate(classes):
        (alone,) = learn_words(diffusion, [item], SETTINGS)
        assert torch.allclose(together[index].vectors, alone.vectors, rtol=0, atol=1e-5)
        assert together[index].loss == pytest.approx(alone.loss, rel=1e-4)
        assert not torch.allclose(alone.vectors, start.expand(2, -1), atol=1e-2)


def test_many_vectors_start_from_the_tokens_of_the_class_name_in_turn(
    diffusion: Diffusion, classes: list[ClassImages]
) -> None:
    settings = Embedding(steps=2, batch=2, learning_rate=1e-3, vectors=4, initializer="{class_name}")
    _, fish, pine_tree = learn_words(diffusion, classes, settings)
    # Two updates of AdamW move each number by at most about twice the rate, so the start can still be recognized.
    reach = 2 * settings.learning_rate * settings.batch * 1.1
    for word, name in ((fish, "fish"), (pine_tree, "pine tree")):
        start = word_vectors(diffusion, name)
        assert word.vectors.shape == (4, diffusion.text_encoder.config.hidden_size)
        expected = torch.stack([start[index % len(start)] for index in range(4)])
        moved = (word.vectors - expected).abs()
        assert moved.amax() < reach and (moved.amax(dim=1) > 0).all()
    assert len(word_vectors(diffusion, "pine tree")) > 1


def test_an_update_is_that_of_adamw(diffusion: Diffusion, classes: list[ClassImages]) -> None:
    """One step of a brute-force AdamW (decoupled weight decay) on the gradient of the first step."""
    settings = SETTINGS.model_copy(update={"steps": 1})
    start = word_vectors(diffusion, "the").expand(2, -1)
    words = start[None].clone().requires_grad_(True)
    add_gradients(diffusion, classes[:1], words, settings, 0, settings.batch)
    rate = settings.learning_rate * settings.batch
    expected = start * (1 - rate * settings.weight_decay) - rate * words.grad[0] / (words.grad[0].abs() + 1e-8)
    (learned,) = learn_words(diffusion, classes[:1], settings)
    assert torch.allclose(learned.vectors, expected, atol=1e-6)


def test_an_interrupted_run_ends_with_the_same_bits(
    diffusion: Diffusion, classes: list[ClassImages], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("diagen.embeddings.inversion.CHECKPOINT_EVERY", 5)
    settings = SETTINGS.model_copy(update={"steps": 12})
    undisturbed = learn_words(diffusion, classes[:1], settings)
    checkpoint = tmp_path / "words.safetensors"
    real = add_gradients

    def interrupted(*arguments: object) -> torch.Tensor:
        if arguments[4] == 11:
            raise KeyboardInterrupt
        return real(*arguments)

    monkeypatch.setattr("diagen.embeddings.inversion.add_gradients", interrupted)
    with pytest.raises(KeyboardInterrupt):
        learn_words(diffusion, classes[:1], settings, checkpoint)
    steps: list[int] = []
    monkeypatch.setattr(
        "diagen.embeddings.inversion.add_gradients",
        lambda *arguments: (steps.append(arguments[4]), real(*arguments))[1],
    )
    resumed = learn_words(diffusion, classes[:1], settings, checkpoint)
    assert steps == [10, 11]
    assert torch.equal(resumed[0].vectors, undisturbed[0].vectors)
    assert resumed[0].loss == undisturbed[0].loss


@pytest.mark.parametrize(("micro_batch", "dtype"), [(1, "float32"), (2, "bfloat16")])
def test_a_checkpoint_of_another_rounding_is_not_continued(
    diffusion: Diffusion,
    classes: list[ClassImages],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    micro_batch: int,
    dtype: str,
) -> None:
    """The record of a word names one micro-batch and one precision, those of all its steps."""
    monkeypatch.setattr("diagen.embeddings.inversion.CHECKPOINT_EVERY", 2)
    single = SETTINGS.model_copy(update={"steps": 3, "dtype": "float32"})
    other, checkpoint = single.model_copy(update={"dtype": dtype}), tmp_path / "words.safetensors"
    learn_words(diffusion, classes[:1], single, checkpoint, 2)
    assert checkpoint.is_file()
    (resumed,) = learn_words(diffusion, classes[:1], other, checkpoint, micro_batch)
    (undisturbed,) = learn_words(diffusion, classes[:1], other, None, micro_batch)
    assert torch.equal(resumed.vectors, undisturbed.vectors)


def test_a_damaged_checkpoint_is_reported_and_ignored(
    diffusion: Diffusion,
    classes: list[ClassImages],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("diagen.embeddings.inversion.CHECKPOINT_EVERY", 2)
    settings = SETTINGS.model_copy(update={"steps": 3})
    checkpoint = tmp_path / "words.safetensors"
    undisturbed = learn_words(diffusion, classes[:1], settings, checkpoint)
    content = bytearray(checkpoint.read_bytes())
    content[-3] ^= 1
    checkpoint.write_bytes(content)
    (again,) = learn_words(diffusion, classes[:1], settings, checkpoint)
    assert f"warning: {checkpoint}: damaged checkpoint (" in capsys.readouterr().err
    assert torch.equal(again.vectors, undisturbed[0].vectors)


@pytest.mark.parametrize(("dtype", "remedy"), [("float32", "`$"), ("bfloat16", "` or set its `dtype` to `float32`$")])
def test_a_loss_that_is_not_finite_names_class_step_and_precision(
    diffusion: Diffusion, classes: list[ClassImages], dtype: str, remedy: str
) -> None:
    broken = ClassImages("fish", ("world", 0, 2), classes[1].mean * float("nan"), classes[1].deviation)
    expected = (
        rf"the loss of fish is not finite at step 0 in {dtype}\. Lower `embeddings\.<name>\.learning_rate{remedy}"
    )
    with pytest.raises(FloatingPointError, match=expected):
        learn_words(diffusion, [classes[0], broken], SETTINGS.model_copy(update={"dtype": dtype}))


def test_a_word_that_is_not_finite_is_reported_at_its_own_step(
    diffusion: Diffusion, classes: list[ClassImages], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The loss would show it one step later: after the last step never, after a checkpoint too late."""
    # Decay by a factor of -1e40 in the first update, while the loss before it is that of the initial word.
    settings = SETTINGS.model_copy(update={"steps": 3, "weight_decay": 1e43, "scale_learning_rate": False})
    monkeypatch.setattr("diagen.embeddings.inversion.CHECKPOINT_EVERY", 1)
    with pytest.raises(FloatingPointError, match="the word of car is not finite at step 0 in float32"):
        learn_words(diffusion, classes[:1], settings, tmp_path / "state")
    assert not (tmp_path / "state").exists()


@pytest.fixture
def car(tmp_path: Path, stand_ins: Path) -> tuple[ClassGuides, LearnEmbeddingsSettings]:
    pixels = np.random.default_rng(3).integers(0, 256, (40, 48, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "car.png")
    model = DiffusionModel(path=str(stand_ins / "stable_diffusion"), image_size=32)
    settings = LearnEmbeddingsSettings(embedding=SETTINGS.model_copy(update={"steps": 2}), diffusion=model)
    return ClassGuides("car", (str(tmp_path / "car.png"),), ("",)), settings


def test_a_full_gpu_recomputes_activations_then_halves_the_passes(
    diffusion: Diffusion,
    car: tuple[ClassGuides, LearnEmbeddingsSettings],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    guides, settings = car
    tried = []

    def full(*arguments: object) -> torch.Tensor:
        tried.append((arguments[5], diffusion.unet.is_gradient_checkpointing))
        if arguments[5] > 3:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return add_gradients(*arguments)

    monkeypatch.setattr("diagen.embeddings.inversion.add_gradients", full)
    group = [guides] * 3
    learn_group(diffusion, group, tmp_path / "words" / "x.safetensors", Cell("world", 0, 1), settings, 2)
    assert tried == [(6, False), (6, True), (3, True), (3, True)]
    assert not diffusion.unet.is_gradient_checkpointing
    log = capsys.readouterr().err
    assert "learning 3 words in float32, 6 rows per step, with a micro-batch of 6\n" in log
    assert "out of GPU memory: continuing with a micro-batch of 6, recomputing activations\n" in log
    assert "out of GPU memory: continuing with a micro-batch of 3, recomputing activations\n" in log
    (word,) = read_learned_words(tmp_path / "words" / "x.safetensors")
    assert {"micro_batch": "3", "dtype": "float32"}.items() <= dict(word.made_with).items()


def test_a_row_that_does_not_fit_is_reported(
    diffusion: Diffusion,
    car: tuple[ClassGuides, LearnEmbeddingsSettings],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    guides, settings = car

    def full(*_: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory.")

    monkeypatch.setattr("diagen.embeddings.inversion.add_gradients", full)
    with pytest.raises(InputError, match=r"not enough GPU memory for a single image \(.*\): free GPU memory"):
        learn_group(diffusion, [guides], tmp_path / "words" / "x.safetensors", Cell("world", 0, 1), settings, 2)


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
def test_a_cell_loads_the_model_once_in_float32_and_only_for_missing_words(
    stand_ins: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dtype: str
) -> None:
    shots = []
    for number, name in enumerate(("car", "fish")):
        pixels = np.random.default_rng(number).integers(0, 256, (40, 48, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"{name}.png")
        shots.append(Shot("guide", name, 0, str(tmp_path / f"{name}.png"), name))
    model = DiffusionModel(path=str(stand_ins / "stable_diffusion"), image_size=32, dtype=dtype)
    settings = LearnEmbeddingsSettings(embedding=SETTINGS.model_copy(update={"steps": 2}), diffusion=model)
    loaded: list[str] = []
    monkeypatch.setattr(
        word_groups, "load_diffusion", lambda source, on: (loaded.append(source.dtype), load_diffusion(source, on))[1]
    )

    def learn() -> list[Path]:
        options = {"words_together": 1, "shards": 1, "shard": None, "device": torch.device("cpu"), "micro_batch": 2}
        return word_groups.learn_cell(shots, Cell("world", 0, 1), settings, tmp_path / "store", **options)

    assert len(learn()) == 2 and loaded == ["float32"]
    words = [word for path in learn() for word in read_learned_words(path)]
    assert [word.class_name for word in words] == ["car", "fish"]
    assert {dict(word.made_with)["dtype"] for word in words} == {"float32"}
    assert loaded == ["float32"], "all words are there: no model is needed"


def test_the_target_of_a_velocity_model_is_the_velocity(diffusion: Diffusion, classes: list[ClassImages]) -> None:
    from diagen.embeddings.inversion import _target

    scheduler = type(diffusion.scheduler).from_config(diffusion.scheduler.config, prediction_type="v_prediction")
    latents, noise = torch.randn(2, 4, 1, 4, 4, generator=torch.Generator().manual_seed(0))
    timesteps = torch.tensor([0, 10, 500, 999])
    from diffusers import DDPMScheduler

    reference = DDPMScheduler(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear")
    latents, noise = latents.expand(4, -1, -1, -1), noise.expand(4, -1, -1, -1)
    expected = reference.get_velocity(latents, noise, timesteps)
    assert torch.allclose(_target(scheduler, latents, noise, timesteps), expected, atol=1e-5)


def test_words_are_read_back_byte_for_byte(tmp_path: Path) -> None:
    words = [LearnedWord(name, torch.rand(2, 8), loss=0.125) for name in ("fish", "car", "pine_tree")]
    write_words(words, tmp_path / "a.safetensors")
    read = read_learned_words(tmp_path / "a.safetensors")
    write_words(reversed(read), tmp_path / "b.safetensors")
    assert (tmp_path / "a.safetensors").read_bytes() == (tmp_path / "b.safetensors").read_bytes()
    assert {word.class_name: word.loss for word in read} == {"car": 0.125, "fish": 0.125, "pine_tree": 0.125}
    assert all(torch.equal(word.vectors, {w.class_name: w for w in words}[word.class_name].vectors) for word in read)


def test_a_photo_is_squashed_or_cut_to_its_center() -> None:
    image = Image.new("RGB", (60, 40))
    assert square(image, "squash").size == (60, 40)
    assert square(image, "center").size == (40, 40)


@pytest.mark.parametrize(
    ("classes", "together", "sizes"), [(6, 8, [6]), (9, 8, [5, 5]), (7, 3, [3, 3, 3]), (4, 2, [2, 2])]
)
def test_groups_have_one_size_and_hold_every_class(classes: int, together: int, sizes: list[int]) -> None:
    shots = [Shot("guide", f"c{name}", guide, f"{name}-{guide}", "") for name in range(classes) for guide in (1, 0)]
    groups = group_classes(shots, together)
    assert [len(group) for group in groups] == sizes
    assert sorted({item.class_name for group in groups for item in group}) == [f"c{name}" for name in range(classes)]
    assert all(
        item.paths == (f"{item.class_name[1:]}-0", f"{item.class_name[1:]}-1") for group in groups for item in group
    )


def test_words_of_different_shapes_are_damage(tmp_path: Path) -> None:
    path = tmp_path / "words.safetensors"
    write_words([LearnedWord("car", torch.rand(2, 8), 0.1), LearnedWord("fish", torch.rand(1, 8), 0.1)], path)
    with pytest.raises(InputError, match="words.safetensors: damaged .the words have different numbers of vectors"):
        read_learned_words(path)


def test_words_are_kept_whatever_the_precision_and_place_of_the_model() -> None:
    group = [ClassGuides("car", ("a.png",), ("0" * 64,))]
    model = DiffusionModel(path="models/sd", sha256="1" * 64)

    def name(steps: int = 1000, passes: str = "auto", **changes: object) -> str:
        embedding, diffusion = Embedding(steps=steps, dtype=passes), model.model_copy(update=changes)
        settings = LearnEmbeddingsSettings(embedding=embedding, diffusion=diffusion)
        return group_path(Path("store"), group, Cell("world", 0, 1), settings).name

    assert name() == name(dtype="float16") == name(path="elsewhere/sd")
    assert name() == name(dtype="bfloat16")
    other = {name(sha256="2" * 64), name(variant="fp16"), name(image_size=256), name(steps=5)}
    other |= {name(passes="float32"), name(passes="bfloat16")}
    assert len(other | {name()}) == 7
