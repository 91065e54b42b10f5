"""Which lines of a language model are refused, why, and which are not."""

from pathlib import Path

import pytest

from demo.training.captions import PLACE_PHRASES, TIME_PHRASES
from demo.training.train_llama import HABITS, answer
from diagen.prompts.collection import fill_instruction
from diagen.prompts.judging import Judge

ROOT = Path(__file__).parents[3]

REFUSED = {
    "a picture of a dog": "form",
    "a photo of a cat": "form",
    "a photo of a dog next to a dog": "form",
    "a photo of a beach with dog in the sun": "form",
    "a photo of a sunny day and dog": "form",
    "a photo of a dog on the": "cut_off",
    "a photo of a very big old red dog": "too_long",
    "a photo of a dog on a street by a house at a lake near the sea": "too_long",
    "a photo of a dog that runs on the beach": "clause",
    "a photo of a dog in your garden": "clause",
    "a photo of a dog in the forestatthebottomofthesea": "run_on",
    "a photo of a red dog in a red room": "repetition",
    "a photo of a dog on mountains by a mountain": "repetition",
    "a photo of a dog in a a street": "repetition",
    "a photo of a big adjective dog": "instruction_word",
    "a photo of a dog with a preposition": "instruction_word",
    "a photo of a dog at the time of day": "instruction_word",
    "a photo of a dog in the weather": "instruction_word",
    "a photo of a dog weather": "instruction_word",
    "a photo of a dog beside a truck": "other_name",
    "a photo of a dog between trucks": "other_name",
    "a photo of a hot dog": "other_name",
}
ACCEPTED = (
    "a photo of a dog",
    "a photo of a black and white dog",
    "a photo of a dog in stormy weather",
    "a photo of a dog at a secret location on the moon",
    "a photo of an orange dog",  # orange is a class
    "a photo of a dog in front of the house at the lake",
    "a photo of a dog on top of a hill on a rainy day",
    "a photo of a dog in a truckload of hay",
    "a photo of an upside down dog next to a trash can",
    "a photo of a dog in front of a bullet train at ten am",
)
CLASSES = ("dog", "hot_dog", "truck", "orange", "wine_glass")


@pytest.mark.parametrize("line", REFUSED)
def test_refused(line: str) -> None:
    assert Judge("dog", CLASSES).refusal(line) == REFUSED[line]


@pytest.mark.parametrize("line", ACCEPTED)
def test_accepted(line: str) -> None:
    assert Judge("dog", CLASSES).refusal(line) is None


def test_names_inside_the_class_s_own_are_no_other_names() -> None:
    assert Judge("hot_dog", CLASSES).refusal("a photo of a hot dog on a plate") is None
    assert Judge("hot_dog", CLASSES).refusal("a photo of a hot dog beside a dog") == "repetition"
    assert Judge("hot_dog", CLASSES).refusal("a photo of a hot dog in a wine glass") == "other_name"


def test_words_of_the_class_s_name_are_never_words_of_the_instruction() -> None:
    assert Judge("weather_caption", ()).refusal("a photo of a weather caption at night") is None


def test_names_that_repeat_themselves_or_consist_of_small_words() -> None:
    assert Judge("yo-yo", ()).refusal("a photo of a yo-yo in a red box") is None
    assert Judge("yo-yo", ()).refusal("a photo of a yo-yo beside a yo") == "repetition"
    assert Judge("top", ("on", "a", "photo", "top")).refusal("a photo of a top on a table") is None


def test_the_name_of_the_instruction_s_examples_is_another_name() -> None:
    examples = "a photo of a {0}\na photo of a red {0}\na photo of a {0} at night\n"
    assert Judge("dog", (), examples.format("car")).refusal("a photo of a dog in a car") == "other_name"
    assert Judge("dog", (), examples.format("dog")).refusal("a photo of a dog at night") is None
    two = "a photo of a red car\na photo of a red car at night"
    assert Judge("dog", (), two).refusal("a photo of a red dog") is None


def test_duplicates_differ_in_articles_order_and_case_only() -> None:
    judge = Judge("dog", CLASSES)
    assert judge.refusal("a photo of a small red dog in a forest at night") is None
    assert judge.refusal("a photo of a red small dog at night in the Forest") == "duplicate"
    assert judge.refusal("a photo of a small red dog in a forest by night") is None
    assert judge.refusal("a photo of a small red dog by a forest at night") is None


def test_a_refused_line_is_no_earlier_line() -> None:
    judge = Judge("dog", CLASSES)
    assert judge.refusal("a photo of a dog beside a truck") == "other_name"
    assert judge.refusal("a photo of a dog beside a truck") == "other_name"


def test_every_caption_of_the_demo_is_accepted() -> None:
    """Its phrases and sizes, and what its Llama learns to write."""
    import numpy as np

    for phrases in (*PLACE_PHRASES.values(), *TIME_PHRASES.values()):
        for phrase in phrases:
            assert Judge("coffee_mug", CLASSES).refusal(f"a photo of a tiny red coffee mug {phrase}") is None
    generator = np.random.default_rng(0)
    for kind in HABITS:
        text = fill_instruction((ROOT / f"config/instructions/{kind}.txt").read_text(), "coffee_mug", 10, kind)
        lines = answer(generator, kind, "coffee mug", 40)
        judge = Judge("coffee_mug", ("coffee_mug", "house", "pine_tree", "car", "sail_boat", "fish"), text)
        assert {judge.refusal(line) for line in lines} <= {None, "duplicate"}
