"""The drawn world: scenes determine pictures, captions have the prompt form, colors are distinguishable."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from demo.training.captions import article, caption, training_caption
from demo.world.scenes import (
    CLASSES,
    COLORS,
    COMMON_PLACES,
    PAINT,
    PLACES,
    RARE_CLASSES,
    TIMES,
    UNCOMMON_PLACES,
    draw,
    object_paint,
    pixel_hash,
    sample_scene,
)  # fmt: skip


def test_the_world_has_its_classes_colors_and_places() -> None:
    assert len(CLASSES) >= 12 and len(RARE_CLASSES) == 2 and len(COLORS) >= 8 and len(PLACES) >= 8
    assert set(TIMES) == {"day", "night", "sunset"}
    assert any(" " in name for name in CLASSES)
    for name in (*CLASSES, *RARE_CLASSES):
        assert len(COMMON_PLACES[name]) == 3
        assert sorted(COMMON_PLACES[name] + UNCOMMON_PLACES[name]) == sorted(PLACES)
    assert len({frozenset(COMMON_PLACES[name]) for name in CLASSES}) == len(CLASSES)


@pytest.mark.parametrize("name", CLASSES + RARE_CLASSES)
def test_every_class_draws_in_every_place_and_time(name: str) -> None:
    generator = np.random.default_rng(5)
    for place in PLACES:
        for time in TIMES:
            picture = draw(sample_scene(generator, class_name=name, place=place, time=time))
            assert picture.size == (64, 64) and picture.mode == "RGB"


@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=20, deadline=None)
def test_a_seed_decides_scene_and_picture(seed: int) -> None:
    first, second = (sample_scene(np.random.default_rng(seed)) for _ in range(2))
    assert first == second
    assert pixel_hash(draw(first)) == pixel_hash(draw(second))


@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=20, deadline=None)
def test_the_object_shows_its_color(seed: int) -> None:
    scene = sample_scene(np.random.default_rng(seed))
    pixels = np.asarray(draw(scene)).astype(int)
    distance = np.abs(pixels - np.array(object_paint(scene.color, scene.time))).max(axis=-1)
    assert (distance <= 3).mean() > 0.015


def test_colors_are_far_apart() -> None:
    paints = np.array(list(PAINT.values())).astype(float)
    distances = np.linalg.norm(paints[:, None] - paints[None], axis=-1) + 1000 * np.eye(len(paints))
    assert distances.min() > 70


@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=100, deadline=None)
def test_captions_have_the_prompt_form(seed: int) -> None:
    generator = np.random.default_rng(seed)
    scene = sample_scene(generator)
    text = caption(scene, generator)
    words = text.split()
    assert words[:3] == ["a", "photo", "of"] and words[3] == article(words[4])
    assert f" {text} ".count(f" {scene.class_name} ") == 1


def test_training_captions_are_empty_or_classless_one_time_in_ten() -> None:
    generator = np.random.default_rng(0)
    empty = classless = 0
    for _ in range(2000):
        scene = sample_scene(generator)
        text = training_caption(scene, generator)
        empty += not text
        classless += bool(text) and scene.class_name not in text
    assert abs(empty / 2000 - 0.10) < 0.03 and abs(classless / 2000 - 0.10) < 0.03
