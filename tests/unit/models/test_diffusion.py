"""Pseudo-words in the text encoder: the same states as diffusers and transformers compute for added tokens."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from diagen.config import DiffusionModel
from diagen.errors import InputError
from diagen.models.diffusion import (
    Diffusion,
    decode_latents,
    encode_posteriors,
    encode_prompts,
    load_diffusion,
    tokenize,
    word_vectors,
)
from diagen.runtime import memory_plan


@pytest.fixture(scope="module")
def diffusion(stand_ins: Path) -> Diffusion:
    model = DiffusionModel(path=str(stand_ins / "stable_diffusion"), image_size=32)
    return load_diffusion(model, torch.device("cpu"))


def test_a_word_without_slots_encodes_as_transformers_does(diffusion: Diffusion) -> None:
    text = "a photo of a red car in the snow"
    tokens = tokenize(diffusion.tokenizer, [text], ["<car>"], vectors=1)
    expected = diffusion.tokenizer(text, padding="max_length", truncation=True, return_tensors="pt").input_ids
    assert torch.equal(tokens.ids, expected)
    assert (tokens.slots == -1).all()
    width = diffusion.text_encoder.config.hidden_size
    states = encode_prompts(diffusion, tokens, torch.randn(1, 1, width))
    assert torch.equal(states, diffusion.text_encoder(expected).last_hidden_state)


@pytest.mark.parametrize("vectors", [1, 3])
def test_slots_take_the_words_vectors(diffusion: Diffusion, vectors: int) -> None:
    """Slots with the vectors of ordinary tokens have the states of these tokens."""
    ordinary = ["the", "red", "photo"][:vectors]
    words = torch.cat([word_vectors(diffusion, text) for text in ordinary])[None]
    assert words.shape[1] == vectors
    ours = encode_prompts(
        diffusion, tokenize(diffusion.tokenizer, ["a photo of a <x> at night"], ["<x>"], vectors), words
    )
    plain = tokenize(diffusion.tokenizer, [f"a photo of a {' '.join(ordinary)} at night"], ["<x>"], vectors)
    assert torch.equal(ours, encode_prompts(diffusion, plain, torch.zeros_like(words)))


def test_each_row_has_its_own_word(diffusion: Diffusion) -> None:
    generator = torch.Generator().manual_seed(1)
    words = torch.randn(2, 1, diffusion.text_encoder.config.hidden_size, generator=generator)
    tokens = tokenize(diffusion.tokenizer, ["a photo of a <x>", "a photo of a <y>"], ["<x>", "<y>"], 1)
    together = encode_prompts(diffusion, tokens, words)
    swapped = encode_prompts(diffusion, tokens, words.flip(0))
    assert torch.allclose(together[0], swapped[1], atol=1e-6)
    assert not torch.allclose(together[0], together[1], atol=1e-3)


def test_a_long_prompt_is_truncated_but_keeps_its_word(diffusion: Diffusion) -> None:
    tail = "snow " * 200
    tokens = tokenize(diffusion.tokenizer, [f"a photo of a <x> in the {tail}"], ["<x>"], 1)
    assert tokens.ids.shape[1] == diffusion.tokenizer.model_max_length
    assert tokens.ids[0, -1] == diffusion.tokenizer.eos_token_id
    assert (tokens.slots == 0).sum() == 1
    with pytest.raises(InputError, match=r"too long: its word <x> comes after \d+ tokens\. Shorten"):
        tokenize(diffusion.tokenizer, [f"{tail} <x>"], ["<x>"], 1)


def test_gradients_reach_the_words_and_nothing_else(diffusion: Diffusion) -> None:
    words = torch.zeros(1, 1, diffusion.text_encoder.config.hidden_size, requires_grad=True)
    tokens = tokenize(diffusion.tokenizer, ["a photo of a <x>"], ["<x>"], 1)
    encode_prompts(diffusion, tokens, words).square().sum().backward()
    assert words.grad is not None and words.grad.abs().sum() > 0
    assert all(parameter.grad is None for parameter in diffusion.text_encoder.parameters())


def test_posteriors_do_not_depend_on_the_other_images(diffusion: Diffusion) -> None:
    images = list(torch.rand(5, 3, 32, 32, generator=torch.Generator().manual_seed(0)) * 2 - 1)
    mean, deviation = encode_posteriors(diffusion, images, list("abcde"), micro_batch=4)
    alone, _ = encode_posteriors(diffusion, images[4:], ["e"], micro_batch=4)
    assert torch.equal(mean[4:], alone)
    reference = diffusion.vae.encode(torch.stack(images)).latent_dist
    assert torch.allclose(mean, reference.mean, atol=1e-5)
    assert torch.allclose(deviation, reference.std, atol=1e-5)


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(count=st.integers(1, 7), together=st.integers(1, 4), seed=st.integers(0, 2**32 - 1))
def test_latents_are_decoded_in_slices_of_one_size_whose_bits_are_those_of_a_row(
    diffusion: Diffusion, monkeypatch: pytest.MonkeyPatch, count: int, together: int, seed: int
) -> None:
    monkeypatch.setattr(memory_plan, "VAE_PIXELS", together * 32**2)
    generator = torch.Generator().manual_seed(seed)
    latents = torch.randn(count, 4, 8, 8, generator=generator)
    passes: list[int] = []
    handle = diffusion.vae.decoder.register_forward_pre_hook(lambda _, inputs: passes.append(len(inputs[0])))
    with torch.no_grad():
        decoded = decode_latents(diffusion, latents)
        handle.remove()
        order = torch.randperm(count, generator=generator)
        assert torch.equal(decode_latents(diffusion, latents[order]), decoded[order])
        assert torch.allclose(decoded, diffusion.vae.decode(latents).sample, atol=1e-5)
    size = min(count, together)
    assert decoded.shape == (count, 3, 32, 32) and passes == [size] * -(-count // size)


def test_posteriors_are_encoded_in_slices_that_fit(diffusion: Diffusion, monkeypatch: pytest.MonkeyPatch) -> None:
    images = list(torch.rand(5, 3, 32, 32, generator=torch.Generator().manual_seed(4)) * 2 - 1)
    mean, deviation = encode_posteriors(diffusion, images, list("abcde"), micro_batch=5)
    passes: list[int] = []
    handle = diffusion.vae.encoder.register_forward_pre_hook(lambda _, inputs: passes.append(len(inputs[0])))
    monkeypatch.setattr(memory_plan, "VAE_PIXELS", 2 * 32**2)
    sliced_mean, sliced_deviation = encode_posteriors(diffusion, images, list("abcde"), micro_batch=5)
    handle.remove()
    assert passes == [2, 2, 2]
    assert torch.allclose(mean, sliced_mean, atol=1e-5) and torch.allclose(deviation, sliced_deviation, atol=1e-5)


def test_a_folder_without_a_model_is_reported(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"models\.diffusion.*" + tmp_path.name):
        load_diffusion(DiffusionModel(path=str(tmp_path)), torch.device("cpu"))


def with_scheduler(stand_ins: Path, folder: Path, **changes: object) -> DiffusionModel:
    """The stand-in with another configuration of its scheduler."""
    model = shutil.copytree(stand_ins / "stable_diffusion", folder / "model")
    file = model / "scheduler/scheduler_config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))
    return DiffusionModel(path=str(model), image_size=32)


@pytest.mark.parametrize(
    "changes",
    [
        {"_class_name": "EulerDiscreteScheduler", "timestep_spacing": "linspace", "use_karras_sigmas": False},
        {"_class_name": "DDIMScheduler", "timestep_spacing": "trailing", "rescale_betas_zero_snr": False},
    ],
)
def test_the_sampler_is_that_of_stable_diffusion_whatever_the_model_names(
    stand_ins: Path, tmp_path: Path, diffusion: Diffusion, changes: dict[str, object]
) -> None:
    scheduler = load_diffusion(with_scheduler(stand_ins, tmp_path, **changes), torch.device("cpu")).scheduler
    scheduler.set_timesteps(50)
    diffusion.scheduler.set_timesteps(50)
    assert torch.equal(scheduler.timesteps, diffusion.scheduler.timesteps)
    assert torch.equal(scheduler.alphas_cumprod, diffusion.scheduler.alphas_cumprod)


def test_a_noise_schedule_that_diffusers_does_not_know_is_reported(stand_ins: Path, tmp_path: Path) -> None:
    model = with_scheduler(stand_ins, tmp_path, beta_schedule="sigmoid")
    with pytest.raises(InputError, match=r"models\.diffusion: .* cannot be loaded .*sigmoid"):
        load_diffusion(model, torch.device("cpu"))


def test_photos_whose_latents_are_not_finite_are_reported_together(stand_ins: Path) -> None:
    model = DiffusionModel(path=str(stand_ins / "stable_diffusion"), image_size=32)
    images = [torch.zeros(3, 32, 32), torch.full((3, 32, 32), torch.nan), torch.zeros(3, 32, 32)]
    images[2][0, 0, 0] = torch.inf
    with pytest.raises(InputError, match=r"models\.diffusion: in float32, .* are not finite: b; c\. Restore the files"):
        encode_posteriors(load_diffusion(model, torch.device("cpu")), images, list("abc"), micro_batch=2)


def test_an_initializer_without_tokens_is_reported(diffusion: Diffusion) -> None:
    with pytest.raises(InputError, match=r"embeddings\.<name>\.initializer: '' has no token"):
        word_vectors(diffusion, "")
