"""Models of the real sizes: published numbers of parameters and operations, real file formats, configurations."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import yaml
from torch.utils.flop_counter import FlopCounterMode
from transformers import CLIPTokenizer

from bench.architectures import (
    PARTS,
    TEXT_LENGTH,
    TOKENS,
    clip_merges,
    make,
    new_dinov2,
    write_dinov2,
)
from bench.full_size import read_stages, table
from bench.gpu_memory import Sample
from demo.training.architectures import write_clip_merges
from diagen.config import load_config
from diagen.embeddings.step_draws import TEMPLATES
from tests.empty_models import write_empty_models

META = torch.device("meta")  # shapes only, without memory and time


def on_meta(part: str) -> torch.nn.Module:
    with META:
        return make(part).eval().requires_grad_(False)


def teraflop(run: Callable[[], object]) -> float:
    """TFLOP; a multiply-add counts 2."""
    with META, FlopCounterMode(display=False) as counter:
        run()
    return counter.get_total_flops() / 1e12


def unet_teraflop() -> float:
    unet = on_meta("UNet")
    return teraflop(lambda: unet(torch.zeros(1, 4, 64, 64), torch.zeros(1), torch.zeros(1, 77, 768)))


def encoder_teraflop() -> float:
    vae = on_meta("VAE")
    return teraflop(lambda: vae.encode(torch.zeros(1, 3, 512, 512)))


def decoder_teraflop() -> float:
    vae = on_meta("VAE")
    return teraflop(lambda: vae.decode(torch.zeros(1, 4, 64, 64)))


def text_teraflop() -> float:
    encoder = on_meta("text encoder")
    return teraflop(lambda: encoder(torch.zeros(1, TEXT_LENGTH, dtype=torch.long)))


def resnet_teraflop() -> float:
    resnet = on_meta("ResNet-50")
    return teraflop(lambda: resnet(torch.zeros(1, 3, 256, 256)))


def dinov2_teraflop(*shape: int) -> float:
    with META:
        model = new_dinov2(*shape).eval().requires_grad_(False)
    return teraflop(lambda: model(torch.zeros(1, 3, 224, 224)))


@pytest.mark.parametrize(
    ("part", "millions"),
    [("UNet", 859.5), ("VAE", 83.7), ("text encoder", 123.1), ("DINOv2 ViT-L/14", 304.4), ("ResNet-50", 25.6)],
)
def test_parts_have_as_many_parameters_as_published(part: str, millions: float) -> None:
    count = sum(parameter.numel() for parameter in on_meta(part).parameters())
    assert round(count / 1e6, 1) == millions
    assert count == PARTS[part][0]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("count", "expected"),
    [
        (unet_teraflop, 0.803),
        (encoder_teraflop, 1.117),
        (decoder_teraflop, 2.515),
        (text_teraflop, 0.0133),
        (resnet_teraflop, 0.0107),
        (lambda: dinov2_teraflop(384, 12, 6), 0.0122),
        (lambda: dinov2_teraflop(768, 12, 12), 0.0463),
        (dinov2_teraflop, 0.162),
        # 36 evaluations of two samples each, two prompts, decoding.
        (lambda: 72 * unet_teraflop() + 2 * text_teraflop() + decoder_teraflop(), 60.4),
    ],
    ids=["UNet", "VAE encoder", "VAE decoder", "text encoder", "ResNet-50", "S/14", "B/14", "L/14", "an image"],
)
def test_operations_are_as_counted_by_hand(count: Callable[[], float], expected: float) -> None:
    assert count() == pytest.approx(expected, rel=0.01)


@pytest.mark.slow
def test_a_step_of_inversion_costs_a_forward_and_a_backward_pass() -> None:
    """At most 7.3 TFLOP for a batch of 4; layers before the first that receives the word need no gradient."""
    unet, encoder = on_meta("UNet"), on_meta("text encoder")
    table = encoder.get_input_embeddings()

    def step() -> None:
        word = torch.zeros(4, TEXT_LENGTH, 768, requires_grad=True)
        table.register_forward_hook(lambda *_: word)
        states = encoder(torch.zeros(4, TEXT_LENGTH, dtype=torch.long)).last_hidden_state
        unet(torch.zeros(4, 4, 64, 64), torch.zeros(4), states).sample.sum().backward()
        assert word.grad is not None

    assert 6.5 < teraflop(step) <= 7.3


def test_the_tokenizer_has_the_size_of_clips_and_reads_any_text(tmp_path: Path) -> None:
    assert write_clip_merges(tmp_path, clip_merges(), TEXT_LENGTH) == TOKENS
    tokenizer = CLIPTokenizer.from_pretrained(tmp_path)
    assert len(tokenizer) == TOKENS and (tokenizer.bos_token_id, tokenizer.eos_token_id) == (49_406, 49_407)
    assert tokenizer.tokenize("the car") == ["the</w>", "car</w>"]
    for text in (*TEMPLATES, "a photo of a Größe 😀"):
        ids = tokenizer(text.format("")).input_ids
        assert len(ids) <= TEXT_LENGTH and max(ids) < TOKENS
        decoded = tokenizer.decode(ids, skip_special_tokens=True)
        assert "".join(decoded.split()) == "".join(text.format("").lower().split())


def test_the_feature_extractor_is_a_torch_hub_repository(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = new_dinov2(32, 2, 2).eval()
    write_dinov2(tmp_path, model)
    loaded = torch.hub.load(str(tmp_path), "dinov2_vitl14", source="local")
    images = torch.randn(2, 3, 224, 224)
    with torch.no_grad():
        expected = model.float()(images).pooler_output
        assert torch.allclose(loaded(images), expected, atol=1e-5)
    assert expected.shape == (2, 32) and not loaded.training


@pytest.mark.parametrize("file", ["config/full_size.yaml", "config/full_size_gpu.yaml"])
def test_the_configuration_is_valid_if_its_models_exist(file: str, tmp_path: Path, monkeypatch) -> None:
    mapping = yaml.safe_load(Path(file).read_text("utf-8"))
    write_empty_models(tmp_path, mapping["models"])
    monkeypatch.chdir(tmp_path)
    config = load_config(mapping, file)
    assert config.models.diffusion.image_size == 512 and config.models.features.entry_point == "dinov2_vitl14"


def test_stages_are_read_from_benchmarks(tmp_path: Path) -> None:
    for name, seconds, memory in (("draw_shots", 0.4, None), ("generate_images", 61.0, 4000.0)):
        record = {"s": seconds, "cpu_time": 2 * seconds, "max_rss": memory, "rule_name": name}
        (tmp_path / f"{name}.jsonl").write_text(json.dumps(record) + "\n")
    ended = (tmp_path / "generate_images.jsonl").stat().st_mtime
    samples = [Sample(ended - ago, gb) for ago, gb in ((100, 9.0), (50, 3.0), (1, 7.0), (-1, 8.0))]
    stages = read_stages(tmp_path.glob("*.jsonl"), samples)
    assert [stage.stage for stage in stages] == ["draw_shots", "generate_images"]
    assert stages[1].memory_gb == pytest.approx(4.19, abs=0.01)
    assert "| generate_images | 61 | 122 | 4.2 | 7.0 |" in table(stages)
