"""Words, places and times of day in prompts, found by simple rules on their words."""

import re
from dataclasses import dataclass

from diagen.prompts.form import STEM, name_span
from diagen.prompts.judging import ARTICLES

WORD = re.compile(r"[^\W_]+(?:['’-][^\W_]+)*")
PLACES = (
    "on top of", "in front of", "in the middle of", "at the bottom of", "next to", "close to", "across from",
    "above", "across", "against", "along", "among", "around", "at", "behind", "below", "beneath", "beside", "between",
    "by", "in", "inside", "into", "near", "on", "onto", "outside", "over", "through", "under", "underneath", "within",
)  # fmt: skip
"""Prepositions with which a place begins, several words first; the weather counts as a place (`in the rain`)."""
OTHERS = ("after", "before", "during", "with", "without", "for", "from", "to", "towards", "and", "while", "as")
"""Words with which another phrase begins."""
PLACE_WORDS = frozenset("indoors outdoors outside inside underwater upstairs downstairs".split())
"""Places in one word."""
TIME_WORDS = frozenset(
    "afternoon dawn day daybreak daylight daytime dusk evening midday midnight moonlight morning night nightfall "
    "nighttime noon sundown sunrise sunset twilight".split()
)
_PHRASE = re.compile(rf"\b(?=(?:{'|'.join((*PLACES, *OTHERS))})\b)")
_PLACE = re.compile(rf"(?:{'|'.join(PLACES)})\b")


@dataclass(frozen=True)
class PromptWords:
    """What a prompt consists of: its number of words, the distinct ones besides stem and class name, places, times."""

    length: int
    words: frozenset[str]
    places: frozenset[str]
    times: frozenset[str]


def prompt_words(prompt: str, class_name: str) -> PromptWords:
    """Analyze a prompt in composed Unicode that contains the class name once.

    Places and times are looked for after the class name, in phrases that begin at prepositions. A phrase that contains
    one of `TIME_WORDS` is a time of day, represented by that word; another one that begins with one of `PLACES` is a
    place, represented by its words without preposition and articles.
    """
    stem = STEM.match(prompt)
    start, end = name_span(prompt, class_name) or (len(prompt), len(prompt))
    before, after = prompt[stem.end() if stem else 0 : start].casefold(), prompt[end:].casefold()
    places: set[str] = set()
    times: set[str] = set()
    for phrase in _phrases(after):
        words = WORD.findall(phrase)
        if found := TIME_WORDS.intersection(words):
            times |= found
        elif len(words) == 1 and words[0] in PLACE_WORDS:
            places.add(words[0])
        elif match := _PLACE.match(phrase):
            places.add(" ".join(word for word in WORD.findall(phrase[match.end() :]) if word not in ARTICLES))
    return PromptWords(
        len(prompt.split()),
        frozenset(WORD.findall(before) + WORD.findall(after)) - ARTICLES,
        frozenset(places) - {""},
        frozenset(times),
    )


def _phrases(text: str) -> list[str]:
    """The text in pieces that begin at a preposition; one inside a longer preposition begins none."""
    starts: list[int] = []
    end = 0
    for match in _PHRASE.finditer(text):
        if match.start() >= end:
            starts.append(match.start())
            longest = _PLACE.match(text, match.start())
            end = longest.end() if longest else match.start()
    bounds = [0, *starts, len(text)]
    return [
        text[first:last].strip() for first, last in zip(bounds, bounds[1:], strict=False) if text[first:last].strip()
    ]
