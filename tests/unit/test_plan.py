"""The plan: balanced, stable, with seeds that belong to images."""

import random
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from diagen.errors import InputError
from diagen.plan import PlanRow, deal, plan_generation, read_plan, write_plan
from diagen.prompts import PromptRow
from diagen.seeds import stable_seed
from diagen.shots import Shot

LEVELS = (0.0, 0.005, 0.01, 0.025)


def cell(shots: int, classes: tuple[str, ...] = ("cup", "pine_tree")) -> list[Shot]:
    guides = [
        Shot("guide", name, guide, f"{name}/{guide}.png", f"{name}{guide}")
        for name in classes
        for guide in range(shots)
    ]
    return [*guides, Shot("val", "cup", None, "cup/v.png", "v"), Shot("test", "cup", None, "cup/t.png", "t")]


def prompts_of(count: int, classes: tuple[str, ...] = ("cup", "pine_tree")) -> list[PromptRow]:
    return [
        PromptRow(name, number, f"a photo of a {name.replace('_', ' ')} in place {number}")
        for name in classes
        for number in range(count)
    ]


def plan(
    rows: list[Shot], prompts: list[PromptRow] | None, shots: int, images: int = 10, levels: tuple[float, ...] = LEVELS
) -> list[PlanRow]:
    return plan_generation(
        rows, prompts, dataset="coco", seed=0, shots=shots, images_per_guide=images, noise_levels=levels
    )


def spread(counts: Counter, choices: int) -> int:
    """Largest count minus smallest, over all `choices` of which those not in `counts` have none."""
    values = [*counts.values(), *[0] * (choices - len(counts))]
    return max(values) - min(values)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(prompts=st.integers(1, 24), levels=st.integers(1, 12), turns=st.integers(1, 400))
def test_any_number_of_turns_is_balanced(prompts: int, levels: int, turns: int) -> None:
    dealt = [deal(turn, prompts, levels) for turn in range(turns)]
    assert spread(Counter(prompt for prompt, _ in dealt), prompts) <= 1
    assert spread(Counter(level for _, level in dealt), levels) <= 1
    for prompt in range(prompts):
        assert spread(Counter(level for other, level in dealt if other == prompt), levels) <= 1


@settings(max_examples=60, deadline=None, derandomize=True)
@given(shots=st.integers(1, 8), images=st.integers(1, 12), count=st.integers(1, 12), levels=st.integers(1, 5))
def test_plans_are_balanced_per_class(shots: int, images: int, count: int, levels: int) -> None:
    stages = tuple(0.01 * level for level in range(levels))
    rows = plan(cell(shots), prompts_of(count), shots, images, stages)
    assert len(rows) == 2 * shots * images
    for name in ("cup", "pine_tree"):
        mine = [row for row in rows if row.class_name == name]
        assert spread(Counter(row.noise_level for row in mine), levels) <= 1
        assert spread(Counter(row.prompt for row in mine), count) <= 1
        for prompt in {row.prompt for row in mine}:
            assert spread(Counter(row.noise_level for row in mine if row.prompt == prompt), levels) <= 1


def test_each_prompt_once_per_guide_when_there_are_as_many() -> None:
    rows = plan(cell(3), prompts_of(10), 3)
    for guide in range(3):
        mine = [row.prompt for row in rows if row.class_name == "pine_tree" and row.guide == guide]
        assert mine == [f"a photo of a <pine_tree> in place {number}" for number in range(10)]


@settings(max_examples=60, deadline=None, derandomize=True)
@given(shots=st.integers(1, 8), shuffle=st.randoms(use_true_random=False))
def test_order_of_the_tables_does_not_matter(shots: int, shuffle: random.Random) -> None:
    rows, prompts = cell(shots), prompts_of(7)
    again = plan(shuffle.sample(rows, len(rows)), shuffle.sample(prompts, len(prompts)), shots)
    assert again == plan(rows, prompts, shots)
    assert again == sorted(again, key=lambda row: (row.class_name, row.guide, row.number))


def test_other_classes_and_more_shots_leave_a_guide_as_it_is() -> None:
    rows = plan(cell(2), prompts_of(7), 2)
    alone = plan(cell(2, ("cup",)), prompts_of(7), 2)
    assert alone == [row for row in rows if row.class_name == "cup"]
    more = [row for row in plan(cell(8), prompts_of(7), 8) if row.guide < 2]
    for few, many in zip(rows, more, strict=True):
        assert (few.class_name, few.guide, few.number) == (many.class_name, many.guide, many.number)
        assert (few.prompt, few.noise_level, few.guide_sha256) == (many.prompt, many.noise_level, many.guide_sha256)


def test_without_prompts_and_noise() -> None:
    rows = plan(cell(2), None, 2, levels=())
    assert {row.prompt for row in rows} == {"a photo of a <cup>", "a photo of a <pine_tree>"}
    assert {row.noise_level for row in rows} == {0.0}


def test_seeds_are_each_image_s_own_and_the_same_for_all_generators() -> None:
    rows = plan(cell(4), prompts_of(10), 4)
    plain = plan(cell(4), None, 4, levels=())
    assert [(row.image_seed, row.noise_seed) for row in rows] == [(row.image_seed, row.noise_seed) for row in plain]
    assert len({row.image_seed for row in rows} | {row.noise_seed for row in rows}) == 2 * len(rows)
    assert rows[13].image_seed == stable_seed("coco", 0, 4, "cup", 1, 3, "image")
    assert rows[13].noise_seed == stable_seed("coco", 0, 4, "cup", 1, 3, "noise")


def test_class_without_prompts_and_prompt_without_class() -> None:
    with pytest.raises(InputError, match="none for class `pine_tree`"):
        plan(cell(2), prompts_of(3, ("cup",)), 2)
    with pytest.raises(InputError, match="exactly once"):
        plan(cell(2, ("cup",)), [PromptRow("cup", 0, "a photo of a mug")], 2)


def test_table_survives_a_round_trip(tmp_path: Path) -> None:
    rows = plan(cell(2), prompts_of(3), 2)
    write_plan(rows, tmp_path / "plan.csv")
    assert read_plan(tmp_path / "plan.csv") == rows
    (tmp_path / "other.csv").write_text("class\n")
    with pytest.raises(InputError, match="plan_generation"):
        read_plan(tmp_path / "other.csv")
