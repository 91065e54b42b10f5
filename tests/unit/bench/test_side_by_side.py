"""The side-by-side bench: both loops of each stage agree, a wrong result is found, and times are paired."""

import dataclasses
import importlib
import json
import math
import os
import subprocess
import sys

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from bench.side_by_side import __main__ as program
from bench.side_by_side.material import Workplace
from bench.side_by_side.measure import Comparison, Stage, Times, compare, spread, table, times_table
from bench.side_by_side.plain_views import ATTEMPTS, crop_box
from diagen.cells import Cell
from diagen.classifiers.augmentation import crop_boxes

OTHER = Cell("world", 1, 4)


def other_cell(learn, diffusion, group, path, cell, *rest):
    return learn(diffusion, group, path, OTHER, *rest)


def other_seed(generate, diffusion, rows, *rest):
    return generate(diffusion, [(dataclasses.replace(row, image_seed=1), name) for row, name in rows], *rest)


def other_view(score, backbone, head, temperature, rows, *rest, **options):
    return score(
        backbone, head, temperature, [dataclasses.replace(row, image_seed=1) for row in rows], *rest, **options
    )


def other_draws(train, backbone, images, synthetic, settings, cell, **options):
    return train(backbone, images, synthetic, settings, OTHER, **options)


def reversed_paths(features, extractor, paths, **options):
    return features(extractor, paths[::-1], **options)


def next_k(diversity, real, synthetic, ks):
    return diversity(real, synthetic, [k + 1 for k in ks])


# The library's function in each module of the bench, and a call of it with one mistake.
MISTAKES = {
    "inversion.stage": ("learn_group", other_cell),
    "inversion.own_table": ("learn_group", other_cell),
    "generation.stage": ("generate", other_seed),
    "weights.stage": ("score_images", other_view),
    "downstream.stage": ("train_downstream", other_draws),
    "downstream.cached_views": ("train_downstream", other_draws),
    "downstream.large_images": ("train_downstream", other_draws),
    "features.stage": ("image_features", reversed_paths),
    "diversity.stage": ("diversity", next_k),
    "diversity.against_brute_force": ("diversity", next_k),
}


def test_every_stage_has_a_planted_mistake():
    assert sorted(MISTAKES) == sorted(path for paths in program.STAGES.values() for path in paths)


@pytest.mark.slow
@pytest.mark.parametrize("path", MISTAKES)
def test_both_loops_agree_and_a_mistake_is_found(path, tmp_path, monkeypatch):
    name, function = path.split(".")
    module = importlib.import_module(f"bench.side_by_side.{name}")
    stage = getattr(module, function)(Workplace(tmp_path, small=True))
    right = compare(stage, 1)
    assert right.held, right
    called, mistake = MISTAKES[path]
    original = getattr(module, called)
    monkeypatch.setattr(module, called, lambda *values, **options: mistake(original, *values, **options))
    wrong = compare(stage, 1)
    assert not wrong.held, wrong


@pytest.mark.slow
def test_the_program_writes_times_of_stages_and_start_ups(tmp_path):
    output = tmp_path / "folder" / "bench.json"
    command = [sys.executable, "-m", "bench.side_by_side", "--small", "--repeats", "2", "--threads", "1"]
    command += ["--stages", "features", "start_ups", "--output", str(output)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([".", *sys.path])}
    found = subprocess.run(command, env=environment, text=True, capture_output=True)
    assert found.returncode == 0, found.stderr
    assert "| features | 6 images |" in found.stdout and "| imports of generate_images |" in found.stdout
    results = json.loads(output.read_text("utf-8"))
    (stage,) = results["stages"]
    assert stage["held"] and len(stage["plain"]) == len(stage["ours"]) == len(stage["ratios"]) == 2
    assert len(results["start_ups"]) == 4 and results["machine"]["threads"] == 1


@pytest.mark.parametrize("agrees", [True, False])
def test_a_result_beyond_its_tolerance_exits_with_1(agrees, monkeypatch):
    monkeypatch.setattr(program, "prepare_torch", lambda *_: None)
    monkeypatch.setattr(program, "run", lambda *_, **__: agrees)
    monkeypatch.setattr(sys, "argv", ["bench"])
    monkeypatch.setattr(os, "environ", dict(os.environ))
    if agrees:
        program.main()
    else:
        with pytest.raises(SystemExit) as left:
            program.main()
        assert left.value.code == 1


def new_stage(calls: list[str], results: list[float]) -> Stage:
    """A stage that records its calls, whose results differ by each of `results` in turn."""
    remaining = iter(results)

    def ours() -> float:
        calls.append(f"ours {torch.are_deterministic_algorithms_enabled()}")
        return next(remaining)

    def plain() -> float:
        calls.append(f"plain {torch.are_deterministic_algorithms_enabled()}")
        return 0.0

    return Stage("name", "work", plain, ours, lambda: calls.append("floor"), lambda a, b: abs(b - a), 1.0, "units")


def test_loops_run_in_turn_and_the_largest_difference_counts():
    calls: list[str] = []
    before = torch.are_deterministic_algorithms_enabled()
    found = compare(new_stage(calls, [0.5, 0.75, 0.25]), 3)
    assert calls == ["plain False", "ours True", "floor"] * 3
    assert torch.are_deterministic_algorithms_enabled() == before
    assert found.difference == 0.75 and found.held
    assert len(found.plain) == len(found.ours) == len(found.floor) == 3


@pytest.mark.parametrize("results", [[0.0, 1.5], [math.nan, 0.0], [0.0, math.nan]])
def test_one_wrong_repeat_is_enough(results):
    found = compare(new_stage([], results), 2)
    assert not found.held
    assert "TOO LARGE" in table([found])


def test_ratios_are_paired_by_repeat():
    found = Comparison("a", "b", (2.0, 9.0, 8.0), (1.0, 3.0, 2.0), (0.5, 0.5, 0.5), 0.0, 1.0, "units")
    assert found.ratios == [2.0, 3.0, 4.0]
    assert found.to_json()["medians"] == {"plain": 8.0, "ours": 2.0, "floor": 0.5, "ratio": 3.0}
    expected = "| a | b | 8 s (2 to 9) | 2 s (1 to 3) | 3 (2 to 4) | 0.5 s | 0 of 1 units |"
    assert table([found]).splitlines()[-1] == expected
    assert spread([0.1234, 1234.5, 0.5]) == "0.5 (0.123 to 1234)"
    assert "| x | 2 s (1 to 3) |" in times_table([Times("x", (1.0, 2.0, 3.0))])


@given(
    st.integers(1, 600),
    st.integers(1, 600),
    st.lists(st.floats(0, 1, exclude_max=True, width=32), min_size=2 * ATTEMPTS + 2, max_size=2 * ATTEMPTS + 2),
)
def test_the_plain_crop_is_that_of_the_library(width, height, numbers):
    top, left, box_height, box_width = crop_boxes(torch.tensor([[height, width]]), torch.tensor([numbers]))[0].tolist()
    assert crop_box(width, height, numbers) == (left, top, box_width, box_height)
