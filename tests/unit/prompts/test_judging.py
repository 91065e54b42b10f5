"""Which lines of a language model are refused, why, and which are not."""

from collections.abc import Sequence
from itertools import cycle
from pathlib import Path

import pytest

from demo.training.captions import PLACE_PHRASES, TIME_PHRASES
from demo.training.train_llama import HABITS, answer
from diagen.models.pseudo_words import class_words
from diagen.prompts.collection import fill_instruction
from diagen.prompts.form import with_article
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
    "a photo of a hot dog stand in the sun": "other_name",
    "a photo of a dog beside a truck, at night": "other_name",
    "a photo of a dog beside a truck early in the morning": "other_name",
    "a photo of a dog beside a truck nearby": "other_name",
    "a photo of a dog on a truck full of hay": "other_name",
    "a photo of a dog behind a truck driving": "other_name",
    "a photo of a dog behind a truck driving slowly uphill": "other_name",
    "a photo of a dog behind a truck parked on a hill": "other_name",
    "a photo of a dog with a truck far away": "other_name",
    "a photo of a dog behind a truck standing still": "other_name",
    "a photo of a dog beside a truck wine glass": "other_name",
    "a photo of a beach of the dog": "form",
    "a photo of an of dog": "form",
    "a photo of a beach front of dog": "form",
    "a photo of a sunset and of dog": "form",
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
    "a photo of a dog at a truck stop in the fog",
    "a photo of a dog on a truck bed",
    "a photo of a dog at a truck crossing",
    "a photo of a dog at a truck racing track",
    "a photo of a dog under an orange sunset sky",
    "a photo of a dog on a truck-filled street",
    "a photo of a dog in the truck's shadow",
    "a photo of a dog under an ORANGE sky",
    "a photo of a large pack of dog",
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


def test_a_name_that_contains_another_does_not_permit_the_other() -> None:
    names = ("train", "train_station")
    assert Judge("train_station", names).refusal("a photo of a train station beside a train") == "other_name"
    assert Judge("train_station", names).refusal("a photo of a train station beside a train track") is None


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("snow_leopard", "a photo of a snow leopard in the snow"),
        ("beach_ball", "a photo of a beach ball on the beach"),
        ("street_sign", "a photo of a street sign on a city street"),
        ("sea_lion", "a photo of a sea lion by the sea"),
    ],
)
def test_a_setting_may_repeat_the_name_s_words_except_its_last(name: str, line: str) -> None:
    assert Judge(name, ()).refusal(line) is None
    head = name.split("_")[-1]
    assert Judge(name, ()).refusal(f"{line} with a {head}") == "repetition"
    assert Judge(name, ()).refusal(f"{line} with {head}s") == "repetition"


@pytest.mark.parametrize(
    ("name", "portion"), [("pizza", "slice"), ("sheep", "flock"), ("scissors", "pair"), ("skis", "pair")]
)
def test_portions_and_groups_are_of_the_form(name: str, portion: str) -> None:
    assert Judge(name, ()).refusal(f"a photo of a {portion} of {name} at night") is None
    assert Judge(name, ()).refusal(f"a photo of a big red {portion} of {name}") == "too_long"


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


COCO = (
    "person bicycle car motorcycle airplane bus train truck boat traffic_light fire_hydrant stop_sign parking_meter "
    "bench bird cat dog horse sheep cow elephant bear zebra giraffe backpack umbrella handbag tie suitcase frisbee "
    "skis snowboard sports_ball kite baseball_bat baseball_glove skateboard surfboard tennis_racket bottle wine_glass "
    "cup fork knife spoon bowl banana apple sandwich orange broccoli carrot hot_dog pizza donut cake chair couch "
    "potted_plant bed dining_table toilet tv laptop mouse remote keyboard cell_phone microwave oven toaster sink "
    "refrigerator book clock vase scissors teddy_bear hair_drier toothbrush"
).split()
FOCUS = "truck car plane ship cat dog horse deer frog bird".split()
ADJECTIVE_PHRASES = (
    "small", "weathered", "brightly lit", "blue and white", "dusty old", "snow-covered", "remote-controlled", "shiny",
)  # fmt: skip
SETTINGS = (
    "on a sandy beach at sunset",
    "at the train station in the rain",
    "at a bus stop in the fog",
    "near a boat dock",
    "under an orange sunset sky",
    "in a remote mountain village",
    "in a dog park",
    "on a cake stand",
    "from a bird's eye view",
    "on a dog-friendly beach",
    "at a car wash",
    "under a bird-filled sky",
    "in the snow",
    "by a calm lake in the early morning",
    "in a dense forest on a misty morning",
    "on a cobblestone street in an old town",
    "in a crowded market at noon",
    "next to a red brick wall",
    "on a wooden floor by the window",
    "in front of a gray background",
    "in a field of wildflowers under a cloudy sky",
    "on a mountain trail in autumn",
    "in an apple orchard in spring",
    "beside a horse stable at dawn",
    "in a chair factory",
    "on a kitchen counter in the afternoon sun",
    "in a book store",
    "under a clock tower at midnight",
    "at a boat landing in the mist",
    "in a parking lot at night",
    "in a desert during a sandstorm",
    "on a rooftop overlooking the city",
    "at the edge of a cliff during a thunderstorm",
    "in an abandoned warehouse",
    "under a street lamp on a rainy evening",
    "at a truck stop along the highway",
    "at a pizza place downtown",
    "on a ship deck in stormy weather",
    "in an airplane hangar",
    "inside a cozy cabin in winter",
    "near a waterfall in the jungle",
    "in a suburban backyard on a sunny day",
)


@pytest.mark.parametrize("names", [COCO, FOCUS], ids=["COCO", "FOCUS"])
def test_ordinary_captions_are_hardly_ever_refused(names: Sequence[str]) -> None:
    """At most 2 % are, although names are common words: those whose setting contains the class's own name."""
    written = 0
    refused = []
    for name in names:
        judge = Judge(name, names)
        for adjective, setting in zip(cycle(ADJECTIVE_PHRASES), SETTINGS, strict=False):
            line = with_article(f"a photo of a {adjective} {class_words(name)} {setting}")
            reason = judge.refusal(line)
            written += 1
            refused += [(line, reason)] if reason else []
    assert len(refused) <= 0.02 * written, refused
