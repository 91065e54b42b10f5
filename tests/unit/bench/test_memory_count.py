"""Memory that is counted without computing: equal to that of real passes of a small model."""

import json
from pathlib import Path

import pytest
import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from torch import nn
from transformers import CLIPTextConfig, CLIPTextModel

from bench.memory_count import Architecture, Counted, LiveBytes, count_generation, count_learning, saved_bytes
from bench.memory_table import CARDS, card_rows, fitting, learning_rows, markdown
from demo.training.stand_ins import IMAGE_SIZE, TEXT_LENGTH
from diagen.embeddings.inversion import recomputed_activations
from diagen.runtime import memory_plan
from diagen.runtime.memory_plan import ROW_GB, WEIGHTS_SHARE, Passes, card_gb, passes_gb


@pytest.fixture(scope="module")
def architecture(stand_ins: Path) -> Architecture:
    folder = stand_ins / "stable_diffusion"
    unet, vae = (
        kind.load_config(folder / part) for kind, part in ((UNet2DConditionModel, "unet"), (AutoencoderKL, "vae"))
    )
    text = CLIPTextConfig.from_pretrained(folder / "text_encoder")
    return Architecture(
        lambda: UNet2DConditionModel.from_config(unet),
        lambda: AutoencoderKL.from_config(vae),
        lambda: CLIPTextModel(text),
        latent_size=IMAGE_SIZE // 4,
        text_length=TEXT_LENGTH,
    )


def really_saved(architecture: Architecture, rows: int, dtype: str, recompute: bool) -> int:
    """The bytes that a forward pass with content saves for the backward pass, without the weights."""
    unet, text_encoder = (new().eval().requires_grad_(False) for new in (architecture.unet, architecture.text_encoder))
    if dtype == "bfloat16":  # in float32 on CUDA
        for module in (*unet.modules(), *text_encoder.modules()):
            if isinstance(module, nn.GroupNorm | nn.LayerNorm):
                module.register_forward_pre_hook(lambda _, inputs: (inputs[0].float(),))
    weights = {weight.data_ptr() for part in (unet, text_encoder) for weight in part.parameters()}
    words = torch.randn(rows, TEXT_LENGTH, 32, requires_grad=True)
    text_encoder.get_input_embeddings().register_forward_hook(lambda *_: words)
    kept: dict[int, torch.UntypedStorage] = {}

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            kept[storage.data_ptr()] = storage
        return tensor

    with (
        recomputed_activations(unet, recompute),
        torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor),
        torch.autocast("cpu", torch.bfloat16, enabled=dtype == "bfloat16"),
    ):
        states = text_encoder(torch.zeros(rows, TEXT_LENGTH, dtype=torch.long)).last_hidden_state
        size = architecture.latent_size
        latents, timesteps = torch.randn(rows, 4, size, size), torch.arange(rows)
        unet(latents, timesteps, encoder_hidden_states=states)
    return sum(storage.nbytes() for storage in kept.values())


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("recompute", [False, True])
def test_saved_bytes_are_those_of_a_real_pass(architecture: Architecture, dtype: str, recompute: bool) -> None:
    counted = count_learning(3, dtype, recompute, architecture)
    assert counted.saved * 1e9 == pytest.approx(really_saved(architecture, 3, dtype, recompute), rel=0.01)
    assert counted.largest < counted.saved < counted.peak - counted.weights


def test_recomputing_and_half_precision_save_memory_and_more_rows_cost_it(architecture: Architecture) -> None:
    kept, recomputed = (count_learning(8, "float32", recompute, architecture) for recompute in (False, True))
    assert recomputed.saved < kept.saved and recomputed.peak < kept.peak and recomputed.weights == kept.weights
    first, second, third = (count_learning(rows, "float32", False, architecture).saved for rows in (2, 4, 6))
    assert third - second == pytest.approx(second - first, rel=1e-3)
    single, half = (count_generation(2, dtype, architecture) for dtype in ("float32", "float16"))
    assert single.weights == 2 * half.weights and half.peak < single.peak


def test_the_peak_is_that_of_the_tensors_that_exist_together() -> None:
    known = torch.zeros(1000)
    with LiveBytes([known]) as counter:
        first = known + 1  # 4,000 bytes
        second = first.double()  # and 8,000
        del first
        third = second[:10].float()  # 40 bytes, 8,040 exist
        second.view(10, 100)
    assert (counter.peak, counter.live, counter.largest) == (12_000, 8_040, 8_000)
    assert third.shape == (10,)


def test_weights_do_not_count_as_saved() -> None:
    layer = nn.Linear(100, 50, bias=False).requires_grad_(False)
    inputs = torch.zeros(4, 100, requires_grad=True)
    with saved_bytes([layer.weight]) as saved:
        layer(inputs).square().sum()
    assert sum(saved.values()) == 4 * 50 * 4  # the input of the square


def test_the_micro_batch_is_halved_until_it_fits() -> None:
    assert fitting(16, lambda size: 1.0 + size, 9.5) == 8
    assert fitting(16, lambda size: 1.0 + size, 40.0) == 16
    assert fitting(16, lambda size: 1.0 + size, 0.5) == 1


def test_the_tables_show_what_was_counted_and_measured() -> None:
    def words(rows: int, dtype: str, recompute: bool) -> Counted:
        row, share = ROW_GB[dtype][recompute], WEIGHTS_SHARE[dtype][recompute]
        return Counted(4.3, row * rows, 0.1, 4.3 * share + row * rows)

    def images(size: int, dtype: str) -> Counted:
        return Counted(2.1, 0.0, 0.1, (2.1 + 0.47 * size) * (2 if dtype == "float32" else 1))

    measured = json.loads(Path("bench/results/h100.json").read_text("utf-8"))
    table = markdown(["a"] * 7, learning_rows(measured, words))
    assert "| `bfloat16`, recomputing | 16 | 4.3 | 4.6 | 0.10 | 9.4 | 9.3 |" in table
    cards = list(card_rows(words, images))
    assert [row[0] for row in cards] == [f"{card} GB" for card in CARDS]
    assert cards[-1] == ["80 GB", "1 × 32 (39.3 GB)", "1 × 32 (54.9 GB)", "16 (9.6 GB)", "16 (19.2 GB)"]
    assert cards[0][1:3] == ["4 × 8, recomputing (7.1 GB)", "8 × 4, recomputing (7.2 GB)"]
    assert cards[0][3:] == ["8 (5.9 GB)", "2 (6.1 GB)"]


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("recompute", [False, True])
def test_the_plan_uses_the_counts_of_a_full_size_model(dtype: str, recompute: bool) -> None:
    few, many = (count_learning(rows, dtype, recompute) for rows in (4, 12))
    assert ROW_GB[dtype][recompute] == pytest.approx((many.peak - few.peak) / 8, rel=0.04)
    for rows, counted in ((4, few), (12, many)):
        planned = passes_gb(Passes(rows, recompute), dtype=dtype, image_size=512, weights_gb=counted.weights)
        assert counted.peak < planned < 1.16 * counted.peak, "room for workspaces"


@pytest.mark.slow
def test_counted_passes_of_full_size_fit_where_the_h100_had_that_memory() -> None:
    measured = json.loads(Path("bench/results/h100.json").read_text("utf-8"))["inversion"]
    for rows, recompute, name in ((4, False, "bfloat16, 4 rows"), (16, True, "bfloat16, 16 rows, checkpointing")):
        counted = count_learning(rows, "bfloat16", recompute)
        assert counted.peak == pytest.approx(measured[name]["peak_gb"], rel=0.03)
        assert counted.peak < card_gb(12 * 2**30)


@pytest.mark.slow
def test_the_vae_does_not_decide_the_peak_of_generation_at_full_size(monkeypatch: pytest.MonkeyPatch) -> None:
    peak = count_generation(16, "float16").peak
    assert peak < card_gb(8 * 2**30)
    monkeypatch.setattr(memory_plan, "VAE_PIXELS", 512**2)
    assert count_generation(16, "float16").peak == peak
    monkeypatch.setattr(memory_plan, "VAE_PIXELS", 16 * 512**2)
    assert count_generation(16, "float16").peak > 1.9 * peak
