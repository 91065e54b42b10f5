"""The plan: balanced, stable, with the seeds of each image."""

import random
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from diagen.cells import Cell
from diagen.config.programs import PlanGenerationSettings
from diagen.data.shots_file import Shot
from diagen.errors import InputError
from diagen.generation.plan import assign, plan_generation
from diagen.generation.plan_file import PlanRow, read_plan, write_plan
from diagen.prompts.prompts_file import PromptRow
from diagen.seeds import stable_seed

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
    rows: list[Shot],
    prompts: list[PromptRow] | None,
    shots: int,
    images: int = 10,
    levels: tuple[float, ...] = LEVELS,
    ceilings: dict[str, float] | None = None,
    **options: object,
) -> list[PlanRow]:
    settings = PlanGenerationSettings(images_per_guide=images, noise_levels=levels, **options)
    return plan_generation(rows, prompts, settings, Cell("world", 0, shots), ceilings=ceilings)


def spread(counts: Counter, choices: int) -> int:
    """Return the largest count minus the smallest, over all `choices`; those not in `counts` have 0."""
    values = [*counts.values(), *[0] * (choices - len(counts))]
    return max(values) - min(values)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(prompts=st.integers(1, 24), levels=st.integers(1, 12), turns=st.integers(1, 400))
def test_any_number_of_turns_is_balanced(prompts: int, levels: int, turns: int) -> None:
    assigned = [assign(turn, prompts, levels) for turn in range(turns)]
    assert spread(Counter(prompt for prompt, _ in assigned), prompts) <= 1
    assert spread(Counter(level for _, level in assigned), levels) <= 1
    for prompt in range(prompts):
        assert spread(Counter(level for other, level in assigned if other == prompt), levels) <= 1


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
    assert rows[13].image_seed == stable_seed("world", 0, 4, "cup", 1, 3, "image")
    assert rows[13].noise_seed == stable_seed("world", 0, 4, "cup", 1, 3, "noise")


def test_plain_class_names_instead_of_words() -> None:
    rows = plan(cell(1, ("airplane", "pine_tree")), None, 1, levels=(), learned_words=False)
    assert {row.prompt for row in rows} == {"a photo of an airplane", "a photo of a pine tree"}
    rows = plan(cell(2), prompts_of(3), 2, levels=(), learned_words=False)
    assert {row.prompt for row in rows} == {row.prompt for row in prompts_of(3)}
    with pytest.raises(InputError, match="exactly once"):
        plan(cell(1, ("cup",)), [PromptRow("cup", 0, "a photo of a mug")], 1, learned_words=False)


def test_turns_by_number_tie_prompts_to_levels() -> None:
    """Published code: image n of every guide image has prompt n mod 10 and level n mod 4, whatever the guide image."""
    rows = plan(cell(3), prompts_of(10), 3, images=20, turns="number")
    assert all(row.prompt.endswith(f"place {row.number % 10}") for row in rows)
    assert all(row.noise_level == LEVELS[row.number % 4] for row in rows)
    assert {row.noise_level for row in rows if row.prompt.endswith("place 0")} == {0.0, 0.01}


def test_noise_drawn_once_for_each_class_and_level() -> None:
    rows = plan(cell(4), prompts_of(10), 4, noise_draw="class")
    seeds = {(row.class_name, row.noise_level): row.noise_seed for row in rows}
    assert all(row.noise_seed == seeds[row.class_name, row.noise_level] for row in rows)
    assert len(set(seeds.values())) == len(seeds) == 2 * 4
    own = plan(cell(4), prompts_of(10), 4)
    assert [row.image_seed for row in rows] == [row.image_seed for row in own]
    assert not {row.noise_seed for row in rows} & {row.noise_seed for row in own}


def test_names_matched_by_substring_take_other_classes_words() -> None:
    classes = ("car", "carrot", "dog", "hot_dog")
    rows = plan(cell(2, classes), None, 2, images=8, levels=(0.01, 0.02), word_match="substring", turns="number")
    texts = {name: [(row.prompt, row.noise_level) for row in rows if row.class_name == name][:4] for name in classes}
    assert texts["car"] == [(f"a photo of a <{word}>", level) for word in ("car", "carrot") for level in (0.01, 0.02)]
    assert {prompt for prompt, _ in texts["dog"]} == {"a photo of a <dog>", "a photo of a <hot_dog>"}
    assert {prompt for prompt, _ in texts["carrot"]} == {"a photo of a <carrot>"}
    exact = plan(cell(2, classes), None, 2, images=8, levels=(0.01, 0.02))
    assert all(row.prompt == f"a photo of a <{row.class_name}>" for row in exact)


def test_ceilings_scale_or_cap_each_class_s_levels() -> None:
    ceilings = {"cup": 0.05, "pine_tree": 0.0}
    levels = (0.005, 0.01, 0.025)

    def taken(name: str, use: str) -> list[float]:
        rows = plan(cell(2), prompts_of(10), 2, levels=levels, ceilings=ceilings, ceiling_use=use)
        return sorted({row.noise_level for row in rows if row.class_name == name})

    assert taken("cup", "scale") == pytest.approx([0.01, 0.02, 0.05])
    assert taken("pine_tree", "scale") == [0.0]
    ceilings["pine_tree"] = 0.012
    assert taken("cup", "cap") == list(levels)
    assert taken("pine_tree", "cap") == [0.005, 0.01, 0.012]
    with pytest.raises(InputError, match=r"noise ceilings: none for class `pine_tree`\. Delete the CSV file"):
        plan(cell(2), None, 2, ceilings={"cup": 0.05})


def test_class_without_prompts_and_prompt_without_class() -> None:
    with pytest.raises(InputError, match=r"prompts: none for class `pine_tree`\. Add some"):
        plan(cell(2), prompts_of(3, ("cup",)), 2)
    with pytest.raises(InputError, match="exactly once"):
        plan(cell(2, ("cup",)), [PromptRow("cup", 0, "a photo of a mug")], 2)


def test_table_survives_a_round_trip(tmp_path: Path) -> None:
    rows = plan(cell(2), prompts_of(3), 2)
    write_plan(rows, tmp_path / "plan.csv")
    assert read_plan(tmp_path / "plan.csv") == rows
    (tmp_path / "other.csv").write_text("class\n")
    with pytest.raises(InputError, match=r"other\.csv: damaged \(missing columns: guide"):
        read_plan(tmp_path / "other.csv")
