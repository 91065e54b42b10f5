"""The models with random weights: the formats of the shipped ones, and the same bytes for the same seed."""

from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import StableDiffusionImg2ImgPipeline
from hypothesis import given, settings
from hypothesis import strategies as st
from llama_cpp import Llama
from transformers import CLIPTokenizer, ResNetModel

from demo.training.architectures import (
    LlamaVocabulary,
    clip_vocabulary,
    interleave_rotary,
    llama_model,
    write_llama_gguf,
)
from demo.training.stand_ins import IMAGE_SIZE, WORDS, write_stand_ins


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("stand_ins")
    write_stand_ins(path)
    return path


def test_same_seed_same_bytes(folder: Path, tmp_path: Path) -> None:
    state = torch.get_rng_state()
    write_stand_ins(tmp_path / "again")
    write_stand_ins(tmp_path / "other", seed=1)
    assert torch.equal(state, torch.get_rng_state())
    sums = (folder / "SHA256SUMS").read_text()
    assert sums == (tmp_path / "again" / "SHA256SUMS").read_text()
    assert sums != (tmp_path / "other" / "SHA256SUMS").read_text()


def test_stable_diffusion_makes_images(folder: Path) -> None:
    pipeline = StableDiffusionImg2ImgPipeline.from_pretrained(
        folder / "stable_diffusion", dtype=torch.float32, safety_checker=None
    )
    pipeline.set_progress_bar_config(disable=True)
    assert pipeline.vae_scale_factor == 4 and pipeline.scheduler.config.skip_prk_steps
    guide = torch.full((1, 3, IMAGE_SIZE, IMAGE_SIZE), 0.5)
    generator = torch.Generator().manual_seed(0)
    result = pipeline("a photo of the beach", guide, num_inference_steps=4, generator=generator, output_type="np")
    assert result.images.shape == (1, IMAGE_SIZE, IMAGE_SIZE, 3) and np.isfinite(result.images).all()


def test_clip_words_are_single_tokens(folder: Path) -> None:
    tokenizer = CLIPTokenizer.from_pretrained(folder / "stable_diffusion" / "tokenizer")
    assert all(tokenizer.tokenize(word) == [f"{word}</w>"] for word in WORDS)
    assert tokenizer.tokenize("Zebra") == ["z", "e", "b", "r", "a</w>"]


@settings(deadline=None, max_examples=50)
@given(st.lists(st.text("abcde", min_size=1, max_size=7), min_size=1, max_size=30))
def test_clip_vocabulary_contains_any_list_of_words(words: list[str]) -> None:
    vocabulary, merges = clip_vocabulary(words)
    tokenizer = CLIPTokenizer(vocab=vocabulary, merges=merges)
    assert all(tokenizer.tokenize(word) == [f"{word}</w>"] for word in words)
    assert sorted(vocabulary.values()) == list(range(len(vocabulary)))


@pytest.fixture(scope="module")
def llama(folder: Path) -> Llama:
    return Llama(str(folder / "llama.gguf"), n_ctx=1024, n_threads=1, verbose=False)


@settings(deadline=None, max_examples=100)
@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0|"), max_size=40))
def test_llama_vocabulary_agrees_with_llama_cpp(llama: Llama, text: str) -> None:
    words = "".join(f" {word}" for word in WORDS)
    vocabulary = LlamaVocabulary([words, "a\n", "user", "assistant"])
    text = f"<|im_start|>user\n{text} a large red beach\n<|im_end|>"
    assert vocabulary.encode(text) == llama.tokenize(text.encode(), add_bos=True, special=True)
    assert llama.detokenize(vocabulary.encode(text), special=True).decode() == text


def test_llama_gguf_agrees_with_transformers(tmp_path: Path) -> None:
    torch.manual_seed(0)
    vocabulary = LlamaVocabulary([" red beach"])
    model = llama_model(len(vocabulary), 64, 2, 2, 96).half().float().eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(3).copy_(parameter.half())
    write_llama_gguf(tmp_path / "model.gguf", model, vocabulary, "test")
    reader = Llama(str(tmp_path / "model.gguf"), n_ctx=64, n_threads=1, logits_all=True, verbose=False)
    numbers = torch.randint(len(vocabulary), (24,))
    reader.eval(numbers.tolist())
    expected = model(numbers[None]).logits[0].detach().numpy()
    difference = np.abs(reader.scores[:24] - expected).max() / expected.std()
    assert difference < 0.03


def test_interleaving_keeps_each_head_and_alternates_the_halves() -> None:
    rows = interleave_rotary(torch.arange(16.0)[:, None], heads=2)[:, 0].tolist()
    assert rows == [0, 4, 1, 5, 2, 6, 3, 7, 8, 12, 9, 13, 10, 14, 11, 15]


def test_dinov2_is_a_torch_hub_repository(folder: Path) -> None:
    model = torch.hub.load(str(folder / "dinov2"), "dinov2_demo", source="local")
    assert model(torch.randn(2, 3, IMAGE_SIZE, IMAGE_SIZE)).shape == (2, model.embed_dim)
    assert model(torch.randn(1, 3, 56, 40)).shape == (1, model.embed_dim)
    with pytest.raises(ValueError, match="multiples of 8"):
        model(torch.randn(1, 3, 30, 30))


def test_resnet_loads_with_transformers(folder: Path) -> None:
    model = ResNetModel.from_pretrained(folder / "resnet", dtype=torch.float32).eval()
    assert model(torch.randn(2, 3, IMAGE_SIZE, IMAGE_SIZE)).pooler_output.shape == (2, 32, 1, 1)
