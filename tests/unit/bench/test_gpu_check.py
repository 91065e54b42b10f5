"""`bench/gpu_check.py` on the CPU with the demo's models: all steps hold, and each reports a planted error."""

import dataclasses
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from bench import (
    gpu_agreement,
    gpu_ceilings,
    gpu_check,
    gpu_demo,
    gpu_generation,
    gpu_inversion,
    gpu_limits,
    gpu_repeat,
    gpu_vision,
)
from diagen.errors import InputError


@pytest.fixture(autouse=True)
def settings_of_torch() -> Iterator[None]:
    """The program sets torch for its process; restore what other tests of this process expect."""
    threads, deterministic = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    yield
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(deterministic)


@pytest.fixture
def check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], tuple[int, dict[str, Any]]]:
    """Run a step; returns the exit status and the results."""

    def run(step: str) -> tuple[int, dict[str, Any]]:
        output = tmp_path / "gpu.json"
        options = ["--device", "cpu", "--small", "--torch-threads", "1", "--steps", step, "--output", str(output)]
        monkeypatch.setattr(sys, "argv", ["gpu_check.py", *options])
        status = gpu_check.main()
        return status, json.loads(output.read_text("utf-8"))

    return run


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--torch-threads", "0"], "argument --torch-threads: '0' is not a whole number of 1 or more"),
        (["--seconds", "0"], "argument --seconds: '0' is not a number above 0"),
        (["--seconds", "nan"], "argument --seconds: 'nan' is not a number above 0"),
        (["--steps", "repeat,"], "unknown step ''"),
        (["--steps", "repeat,repeat"], "--steps repeat,repeat: name each step once"),
        (["--output", "."], "argument --output: cannot write '.'"),
        (["--recording", "missing"], "--recording missing: jobs.json: No such file or directory. Copy the recording "),
    ],
)
def test_mistakes_are_found_before_the_first_step(
    options: list[str],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    output = tmp_path / "gpu.json"
    monkeypatch.setattr(sys, "argv", ["gpu_check.py", "--device", "cpu", "--output", str(output), *options])
    with pytest.raises(SystemExit, match="^2$"):
        gpu_check.main()
    assert f"error: {message}" in capsys.readouterr().err
    assert not output.exists()


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without CUDA")
def test_a_missing_gpu_is_found_before_the_first_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["gpu_check.py", "--output", str(tmp_path / "gpu.json")])
    with pytest.raises(SystemExit, match="^2$"):
        gpu_check.main()
    assert "error: --device cuda: " in capsys.readouterr().err


JOBS = [{"rule": "score_images", "command": "true", "start": 1.0, "outputs": ["results/weights.csv"]}]


@pytest.mark.parametrize(
    ("jobs", "files", "message"),
    [
        ("", ["store"], r"jobs\.json is damaged"),
        ("[]", ["store"], r"jobs\.json is damaged"),
        ('[{"rule": "score_images"}]', ["store"], r"jobs\.json is damaged"),
        (json.dumps(JOBS), ["weights.csv"], "results/store is missing"),
        (json.dumps(JOBS), ["store"], r"results/weights\.csv is missing"),
    ],
)
def test_an_incomplete_recording_is_refused(jobs: str, files: list[str], message: str, tmp_path: Path) -> None:
    for name in files:
        (tmp_path / "results" / name).mkdir(parents=True)
    (tmp_path / "jobs.json").write_text(jobs)
    with pytest.raises(InputError, match=f"^--recording {tmp_path}: {message}\\. Copy the recording again, or "):
        gpu_demo.read_jobs(tmp_path)


def test_without_time_the_file_names_the_steps_that_did_not_run(
    check: Callable[[str], tuple[int, dict[str, Any]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(gpu_check.ALL_STEPS, "repeat", (gpu_repeat.run, 1))
    assert check("repeat") == (0, {"out_of_time": ["repeat"]})


def from_second_call(plain: Callable[..., Any], planted: Callable[..., Any]) -> Callable[..., Any]:
    """`plain` at the first call, then `planted`."""
    calls = iter([plain])
    return lambda *values, **named: next(calls, planted)(*values, **named)


def plant_wrong_precision(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(gpu_ceilings.KINDS, "float32", (torch.bfloat16, False))


def plant_half_precision(monkeypatch: pytest.MonkeyPatch) -> None:
    load = gpu_agreement.demo_diffusion
    monkeypatch.setattr(
        gpu_agreement, "demo_diffusion", from_second_call(load, lambda device, _="": load(device, "bfloat16"))
    )


def plant_swapped_images(monkeypatch: pytest.MonkeyPatch) -> None:
    make = gpu_agreement.pixels
    monkeypatch.setattr(gpu_agreement, "pixels", from_second_call(make, lambda *values: make(*values)[::-1]))


def plant_another_seed_of_training(monkeypatch: pytest.MonkeyPatch) -> None:
    train = gpu_agreement.train_head

    def other(*values: Any, **named: Any) -> Any:
        return train(*values, **named | {"seed_parts": ("another",)})

    monkeypatch.setattr(gpu_agreement, "train_head", from_second_call(train, other))


def plant_swapped_words(monkeypatch: pytest.MonkeyPatch) -> None:
    learn = gpu_repeat.learned
    monkeypatch.setattr(gpu_repeat, "learned", from_second_call(learn, lambda *values: learn(*values).flip(0)))


def plant_swapped_losses(monkeypatch: pytest.MonkeyPatch) -> None:
    compute = gpu_inversion.step_losses
    monkeypatch.setattr(gpu_inversion, "step_losses", lambda *values: compute(*values).flip(0))


def plant_swapped_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    make = gpu_generation.pixels
    monkeypatch.setattr(gpu_generation, "pixels", from_second_call(make, lambda *values: make(*values)[::-1]))


def plant_another_image_seed(monkeypatch: pytest.MonkeyPatch) -> None:
    make = gpu_limits.generate

    def other(diffusion: Any, rows: list[Any], *rest: Any) -> None:
        make(diffusion, [(dataclasses.replace(row, image_seed=row.image_seed + 1), name) for row, name in rows], *rest)

    monkeypatch.setattr(gpu_limits, "generate", from_second_call(make, other))


def plant_swapped_features(monkeypatch: pytest.MonkeyPatch) -> None:
    embed = gpu_vision.embed

    def other(*values: Any, micro_batch: int, **named: Any) -> Any:
        features = embed(*values, micro_batch=micro_batch, **named)
        return features.flip(0) if micro_batch == 1 else features

    monkeypatch.setattr(gpu_vision, "embed", other)


def plant_other_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = gpu_vision.AUGMENTATIONS["standard"]

    def other(images: Any, draws: torch.Tensor, size: int) -> torch.Tensor:
        return plain.apply(images, draws.flip(0), size)

    planted = dataclasses.replace(plain, apply=from_second_call(plain.apply, other))
    monkeypatch.setitem(gpu_vision.AUGMENTATIONS, "standard", planted)


@pytest.mark.parametrize(
    ("step", "plant", "broken"),
    [
        ("ceilings", plant_wrong_precision, "matmul float32, error"),
        ("agreement", plant_half_precision, "losses of steps, relative"),
        ("agreement", plant_swapped_images, "pixels in float32, largest difference"),
        ("agreement", plant_another_seed_of_training, "test images judged right on one device alone"),
        ("repeat", plant_swapped_words, "words in bfloat16, learned again: values that differ, of 128"),
        ("inversion", plant_swapped_losses, "float32, losses together against alone, relative"),
        ("generation", plant_swapped_rows, "float32, micro-batch 4 against 1, mean difference in levels"),
        ("memory", plant_another_image_seed, "files with other bytes when generated again"),
        ("vision", plant_swapped_features, "ViT-L/14: micro-batch 4 against 1, least cosine"),
        ("vision", plant_other_draws, "views by standard, share beyond a level"),
    ],
)
def test_planted_errors_fail_the_check(
    step: str,
    plant: Callable[[pytest.MonkeyPatch], None],
    broken: str,
    check: Callable[[str], tuple[int, dict[str, Any]]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    plant(monkeypatch)

    status, results = check(step)

    assert status == 1
    assert "failed" not in results
    assert broken in [found["name"] for found in results["checks"] if not found["held"]]


def test_all_steps_hold(check: Callable[[str], tuple[int, dict[str, Any]]]) -> None:
    status, results = check(",".join(gpu_check.STEPS))

    assert status == 0, [found for found in results["checks"] if not found["held"]]
    assert set(gpu_check.STEPS) == set(results["seconds"])
    assert {found["step"] for found in results["checks"]} == set(gpu_check.STEPS) - {"demo"}
    assert "out_of_time" not in results
