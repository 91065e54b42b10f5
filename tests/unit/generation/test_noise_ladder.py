"""The noise ladder: rows that differ by the level alone, of the first class; its levels by the configuration."""

import copy
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from diagen.cells import Cell
from diagen.config import load_config
from diagen.data.shots_file import Shot
from diagen.generation.noise_ladder import ladder_rows
from diagen.generation.plan import plan_generation

DEMO = yaml.safe_load(Path("config/demo.yaml").read_text("utf-8"))
SHOTS = [
    Shot("guide", name, guide, f"{name}{guide}.png", f"{name}{guide}") for name in ("cup", "car") for guide in (1, 0)
]
CELL = Cell("world", 0, 2)


def test_all_but_the_level_is_equal():
    first, *others = ladder_rows([*SHOTS, Shot("val", "ape", None, "v.png", "v")], (0.0, 0.1, 0.2), CELL)
    assert (first.class_name, first.guide, first.guide_path, first.prompt) == (
        "car",
        0,
        "car0.png",
        "a photo of a <car>",
    )
    assert [(row.number, row.noise_level) for row in (first, *others)] == [(0, 0.0), (1, 0.1), (2, 0.2)]
    assert {replace(row, number=0, noise_level=0.0) for row in others} == {first}


def test_seeds_are_its_own():
    config = load_config(copy.deepcopy(DEMO), "demo", check_files=False)
    from diagen.config.programs import PlanGenerationSettings

    settings = PlanGenerationSettings(images_per_guide=6, noise_levels=config.generators["noise"].noise_levels)
    planned = {
        seed for row in plan_generation(SHOTS, None, settings, CELL) for seed in (row.noise_seed, row.image_seed)
    }
    rows = {(row.noise_seed, row.image_seed) for row in ladder_rows(SHOTS, (0.0, 0.1), CELL)}
    other = {(row.noise_seed, row.image_seed) for row in ladder_rows(SHOTS, (0.0,), Cell("world", 1, 2))}
    assert len(rows) == 1 and not planned.intersection(*rows) and rows != other


def levels_of(noise_levels: list[float]) -> tuple[float, ...]:
    mapping = copy.deepcopy(DEMO)
    for name in ("noise", "noise_llm"):
        mapping["generators"][name]["noise_levels"] = noise_levels
    return load_config(mapping, "demo", check_files=False).ladder_levels()


def test_levels_of_the_paper():
    assert levels_of([0.025, 0.005, 0.01]) == pytest.approx((0, 0.005, 0.01, 0.025, 0.05, 0.1, 0.2))


@given(st.lists(st.floats(0, 10), min_size=1, max_size=5, unique=True))
def test_levels_grow_from_none_to_eight_times_the_largest(noise_levels):
    levels = levels_of(noise_levels)
    if not any(noise_levels):
        assert levels == ()
        return
    assert levels[0] == 0 and set(noise_levels) <= set(levels) and levels[-1] == 8 * max(noise_levels)
    assert list(levels) == sorted(set(levels))


@pytest.mark.parametrize(
    ("left_out", "expected"),
    [((), "noise_llm"), (("diagen", "noise_llm"), "noise"), (("diagen", "noise_llm", "noise"), None)],
)
def test_the_ladder_is_that_of_the_last_method_with_noise(left_out, expected):
    mapping = copy.deepcopy(DEMO)
    for name in left_out:
        del mapping["methods"][name]
    assert load_config(mapping, "demo", check_files=False).ladder_generator() == expected
