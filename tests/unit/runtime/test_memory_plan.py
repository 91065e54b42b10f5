"""The passes that learn words on cards of different sizes, and the memory that is counted on."""

from types import SimpleNamespace

import pytest
import torch

from diagen.runtime.execution import find_dtype
from diagen.runtime.gpu_memory import device_gb
from diagen.runtime.memory_plan import CPU_GB, Passes, card_gb, passes_gb, plan_passes

WEIGHTS_GB = 4.27  # Stable Diffusion v1-4 in float32


def plan(
    rows: int, memory: float, dtype: str = "bfloat16", image_size: int = 512, weights: float = WEIGHTS_GB
) -> Passes:
    return plan_passes(rows, dtype=dtype, image_size=image_size, weights_gb=weights, memory_gb=memory)


@pytest.mark.parametrize("dtype", ["bfloat16", "float32"])
@pytest.mark.parametrize("rows", [1, 3, 4, 7, 20, 32, 64])
@pytest.mark.parametrize("memory", [5.5, 8.0, 12.0, 16.0, 24.0, 48.0, 80.0])
def test_planned_passes_fit_and_are_as_few_and_equal_as_possible(memory: float, rows: int, dtype: str) -> None:
    passes = plan(rows, memory, dtype)
    assert 1 <= passes.micro_batch <= rows
    described = {"dtype": dtype, "image_size": 512, "weights_gb": WEIGHTS_GB}
    assert passes.micro_batch == 1 or passes_gb(passes, **described) <= memory
    count = -(-rows // passes.micro_batch)
    most = max(n for n in range(1, rows + 1) if n == 1 or passes_gb(Passes(n, passes.recompute), **described) <= memory)
    assert count == -(-rows // most), "as few as fit"
    assert count * passes.micro_batch - rows < count, "padded by less than a row each"


def test_activations_are_recomputed_only_where_memory_asks_for_it() -> None:
    assert not plan(32, 60.0).recompute and plan(32, 60.0).micro_batch == 32
    for dtype in ("bfloat16", "float32"):
        choices = [plan(32, memory, dtype).recompute for memory in range(5, 80)]
        assert choices == sorted(choices, reverse=True), "more memory never turns it on"
        assert choices[0] and not choices[-1]


def test_a_word_of_full_size_is_learned_on_a_card_of_8_gb() -> None:
    card = card_gb(8 * 2**30)
    for dtype in ("bfloat16", "float32"):
        passes = plan(4, card, dtype)
        peak = passes_gb(passes, dtype=dtype, image_size=512, weights_gb=WEIGHTS_GB)
        assert passes == Passes(4, recompute=True) and peak <= card < 7.6


def test_the_plan_agrees_with_what_an_h100_measured() -> None:
    """Peaks in GB of passes in bfloat16, and in float32 where cuDNN took no extra workspace (bench/results)."""
    measured = {
        ("bfloat16", False): {4: 10.36, 8: 14.45, 16: 22.68, 32: 39.05},
        ("bfloat16", True): {4: 5.90, 8: 7.01, 16: 9.26, 32: 13.75},
        ("float32", False): {4: 10.92, 8: 17.43},
        ("float32", True): {4: 7.17},
    }
    for (dtype, recompute), peaks in measured.items():
        for rows, peak in peaks.items():
            planned = passes_gb(Passes(rows, recompute), dtype=dtype, image_size=512, weights_gb=WEIGHTS_GB)
            assert planned == pytest.approx(peak, rel=0.05)


def test_the_models_of_the_demo_learn_all_words_in_one_pass_everywhere() -> None:
    for memory in (card_gb(4 * 2**30), CPU_GB):
        assert plan(24, memory, "float32", image_size=64, weights=0.03) == Passes(24)


def test_recomputing_comes_before_fewer_rows() -> None:
    sizes = [Passes(5)]
    while (smaller := sizes[-1].smaller()) is not None:
        sizes.append(smaller)
    assert sizes == [Passes(5), Passes(5, True), Passes(2, True), Passes(1, True)]


def test_the_memory_of_the_cpu_does_not_depend_on_the_machine() -> None:
    assert device_gb(torch.device("cpu")) == CPU_GB < 24


def test_the_memory_of_a_card_is_its_total_whatever_is_free(monkeypatch: pytest.MonkeyPatch) -> None:
    properties = SimpleNamespace(total_memory=24 * 2**30)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: properties)
    monkeypatch.setattr(torch.mps, "recommended_max_memory", lambda: 24 * 2**30)
    assert device_gb(torch.device("cuda")) == device_gb(torch.device("mps")) == card_gb(24 * 2**30)
    assert 23 < card_gb(24 * 2**30) < 24.5


@pytest.mark.parametrize(
    ("device", "supported", "expected"),
    [("cuda", True, "bfloat16"), ("cuda", False, "float32"), ("cpu", True, "float32"), ("mps", True, "float32")],
)
def test_auto_is_bfloat16_on_gpus_that_compute_in_it(
    device: str, supported: bool, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation=True: supported)
    assert find_dtype("auto", torch.device(device)) == expected
    for dtype in ("float32", "bfloat16"):
        assert find_dtype(dtype, torch.device(device)) == dtype
