"""The report's page of prompt sets: words, places, times, lengths, calls and refused lines."""

from typing import get_args

import pytest

from diagen.prompts.judging import Reason
from diagen.prompts.lines_file import WrittenLine
from diagen.report.prompt_words import prompt_words
from diagen.report.prompts_page import REASONS, prompts_page


@pytest.mark.parametrize(
    ("rest", "places", "times"),
    [
        ("", set(), set()),
        ("at night", set(), {"night"}),
        ("on a rainy city street in the evening", {"rainy city street"}, {"evening"}),
        ("in front of snowy mountains at sunset", {"snowy mountains"}, {"sunset"}),
        ("at the bottom of the sea", {"sea"}, set()),
        ("indoors by day", {"indoors"}, {"day"}),
        ("with a red hat on top of the roof of a church", {"roof of church"}, set()),
        ("in the rain during the day", {"rain"}, {"day"}),
        ("covered in snow", {"snow"}, set()),
        ("under water", {"water"}, set()),
        ("inside a volcano near the sea", {"volcano", "sea"}, set()),
    ],
)
def test_places_and_times(rest: str, places: set[str], times: set[str]) -> None:
    found = prompt_words(f"a photo of a small hot dog {rest}".strip(), "hot_dog")
    assert (found.places, found.times) == (places, times)
    assert found.length == 7 + len(rest.split())


def test_words_are_counted_without_stem_and_class_name() -> None:
    assert prompt_words("a photo of a big photo at night", "photo").words == {"big", "at", "night"}
    assert prompt_words("a photo of a scarlet car in a park", "car").words == {"scarlet", "in", "park"}
    assert prompt_words("a photo of a red jack-o’-lantern", "jack-o'-lantern").words == {"red"}


def test_every_reason_has_its_words() -> None:
    assert set(REASONS) == set(get_args(Reason))


def test_the_page_shows_the_figures_of_each_set() -> None:
    lines = [
        WrittenLine("dog", 0, "a photo of a dog", "kept"),
        WrittenLine("dog", 0, "a photo of a <b>dog</b> dog", "repetition"),
        WrittenLine("dog", 1, "a photo of a red dog in a park", "kept"),
        WrittenLine("dog", 1, "a photo of a dog at sea", "spare"),
        WrittenLine("cat", 0, "a photo of a cat in the park at night", "kept"),
    ]
    body = prompts_page([("world", "paper", lines), ("world", "empty", [])]).partition("<body>")[2]
    cells = [text.split("<")[0] for text in body.split("<td>")[1:]]
    expected = ["3", "8.0 (5 to 10)", "5", "1", "67 %", "1", "33 %", "1.5 (2)", "5", "20 %"]
    assert cells[:10] == expected
    assert cells[10:20] == ["0", "–", "0", "0", "–", "0", "–", "–", "0", "–"]
    assert "repeats a word" in body and "&lt;b&gt;dog&lt;/b&gt;" in body and "<b>" not in body
