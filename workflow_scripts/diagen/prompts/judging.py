"""Judges lines that a language model wrote: which have the paper's form (section 3.3) and read like a caption.

Small models repeat words, copy the instruction, run on until the grammar's bound, or write one line again and again.
"""

import re
from collections.abc import Sequence
from typing import Literal

from diagen.letters import plain
from diagen.models.pseudo_words import class_words
from diagen.prompts.form import ENDINGS_CUT, STEM, form_fault, name_span

Reason = Literal[
    "form", "cut_off", "too_long", "clause", "run_on", "repetition", "instruction_word", "other_name", "duplicate"
]
"""Why a line is refused, in the order of the checks (docs/outputs.md)."""

STEM_WORDS = 4  # `a photo of a`
LONGEST_PART = 16  # letters of a word or of a part between hyphens
ARTICLES = frozenset(("a", "an", "the"))
FUNCTION_WORDS = ENDINGS_CUT | frozenset(
    "above across against along among around as below beneath beside between down for front her his inside into it its "
    "next off onto out outside side top up while".split()
)
"""Words that a caption may use twice."""
CLAUSE_WORDS = frozenset(
    "are be because been but did do had has have if is must my not our should so than that their them they was we were "
    "what when where which who whose will would you your".split()
)
"""Words of clauses. The form has phrases only; small models drift from it into stories."""
WRITING = (
    r"adjectives?|prepositions?|captions?|prompts?|sentences?|brackets?|bullets|quotation|placeholders?|optional|"
    r"time of day"
)
"""Words about the writing of captions, which no photo shows."""
SLOTS = frozenset(("weather", "location", "locations"))
"""Names of the form's parts. They are words of a caption only if another word describes them: `stormy weather`."""
ALLOWED_BEFORE = frozenset("and back down front inside next off or out outside side top up".split())
"""Function words among adjectives: `black and white`, `upside down`."""
AFTER_A_NOUN = FUNCTION_WORDS | frozenset(
    "ahead alone asleep awake away early far full indoors late lit made nearby outdoors overhead still together "
    "tonight".split()
)
"""Words that form no compound with the noun before them, as content words do: `bus stop`."""
PARTICIPLE = re.compile(r"(?!(?:building|crossing|landing|painting|parking)$)(?:\w{2,}ing|\w{3,}ed)")
"""A verb's form that describes the noun before it, as in `a cat sleeping`, unlike the noun of `boat landing`."""
NEXT_WORDS = re.compile(r" (\w+)(?: (\w+))?")
WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")
EXAMPLES = 3  # of an instruction, from which on the words that all of them share are the example's name


class Judge:
    """Judges the lines of one class in the order in which they were written.

    `class_names` are those of the dataset, `instruction` is the text that the language model received, or empty.
    """

    def __init__(self, class_name: str, class_names: Sequence[str], instruction: str = "") -> None:
        """Collect the names that a line must not mention."""
        self.class_name = class_name
        own = plain(class_words(class_name)).casefold()
        self._own_words = frozenset(WORD.findall(own))
        head = [word for word in WORD.findall(own) if word not in FUNCTION_WORDS][-1:]
        self._head_noun = frozenset(word.removesuffix("s") for word in head)
        others = {plain(class_words(name)).casefold() for name in class_names}
        others |= _example_names(instruction) - self._own_words
        names = sorted(others - {own, ""} - FUNCTION_WORDS, key=len, reverse=True)
        either = "|".join(map(re.escape, names))
        self._others = re.compile(rf"(?<!\w)(?:{either})(?:e?s)?(?!\w)", re.IGNORECASE) if names else None
        self._seen: set[tuple[str, ...]] = set()

    def refusal(self, line: str) -> Reason | None:
        """Why the line is refused as a prompt, or `None`. It has single spaces and is in composed Unicode."""
        return self._malformed(line) or self.blemish(line)

    def blemish(self, line: str) -> Reason | None:
        """Why a line that contains the class name once does not read like a caption, or `None`.

        Two lines are duplicates if they have the same words, regardless of their order and of articles. Accepted lines
        are remembered for that.
        """
        line = plain(line)
        words = WORD.findall(line.casefold())
        if any(len(word) > LONGEST_PART and word not in self._own_words for word in words):
            return "run_on"
        if self._repeats(line):
            return "repetition"
        if self._names_its_instruction(line):
            return "instruction_word"
        if self._names_another(line):
            return "other_name"
        key = tuple(sorted(word for word in words if word not in ARTICLES))
        if key in self._seen:
            return "duplicate"
        self._seen.add(key)
        return None

    def _malformed(self, line: str) -> Reason | None:
        fault = form_fault(line, self.class_name)
        if fault is not None:
            return fault
        before, after = (text.split() for text in self._around(line))
        before = before[STEM_WORDS:]
        # Adjectives only: `a photo of a beach with dog` is about the beach.
        portion = before[-1:] == ["of"] and bool({*before[-2:-1]} - FUNCTION_WORDS)  # `a slice of pizza`
        adjectives = before[:-1] if portion else before
        joined = bool(adjectives) and adjectives[-1] in ("and", "or")  # two things: `a photo of a sunset and dog`
        if joined or (FUNCTION_WORDS - ALLOWED_BEFORE) & {*adjectives}:
            return "form"
        return "clause" if CLAUSE_WORDS & {*before, *after} else None

    def _around(self, line: str) -> tuple[str, str]:
        """The line before the class name, and after it."""
        start, end = name_span(line, self.class_name) or (len(line), len(line))
        return line[:start], line[end:]

    def _repeats(self, line: str) -> bool:
        """Whether a content word occurs twice, singular or plural, or two articles follow each other.

        Of the class name, the last word counts: `a hot dog beside a dog`, but not `a beach ball on the beach`.
        """
        before, after = (WORD.findall(text.casefold()) for text in self._around(line))
        following = [*zip(before, before[1:], strict=False), *zip(after, after[1:], strict=False)]
        besides_stem = before[STEM_WORDS:] if STEM.match(line) else before
        others = [word.removesuffix("s") for word in besides_stem + after if word not in FUNCTION_WORDS]
        repeated = bool(self._head_noun & {*others}) or len(set(others)) < len(others)
        return repeated or any({*pair} <= ARTICLES for pair in following)

    def _names_its_instruction(self, line: str) -> bool:
        text = line.casefold()
        if any(not self._own_words & {*match[0].split()} for match in re.finditer(rf"\b(?:{WRITING})\b", text)):
            return True
        words = WORD.findall(text)
        undescribed = FUNCTION_WORDS | self._own_words | {""}
        return any(
            word in SLOTS - self._own_words and before in undescribed
            for before, word in zip(["", *words], words, strict=False)
        )

    def _names_another(self, line: str) -> bool:
        """Whether the line names another class, or the one of the instruction's examples.

        A name inside the class's own (`dog` in `hot dog`) does not count, and neither does one that describes the
        class (`an orange car`) or the word after it (`a bus stop`). A name around the class's own always counts.
        """
        span, stem = name_span(line, self.class_name), STEM.match(line)
        if self._others is None or span is None:
            return False
        start, end = span
        for match in self._others.finditer(line, stem.end() if stem else 0):
            first, last = match.span()
            if start <= first and last <= end:
                continue
            around = first < end and start < last
            if around or (last + 1 != start and not _describes_the_next_word(line[last:])):
                return True
        return False


def _describes_the_next_word(rest: str) -> bool:
    """Whether a noun before `rest` is part of a compound or an adjective (`bus stop`, `dog-friendly`, `bird's nest`).

    It is not before a participle that ends the phrase (`a cat sleeping on a mat`), but `a dog walking trail` is one.
    """
    if rest.startswith(("'", "’", "-")):
        return True
    following = NEXT_WORDS.match(rest.casefold())
    if following is None or following[1] in AFTER_A_NOUN:
        return False
    ends = following[2] is None or following[2] in AFTER_A_NOUN or following[2].endswith("ly")
    return not (PARTICIPLE.fullmatch(following[1]) and ends)


def _example_names(instruction: str) -> set[str]:
    """The content words that all examples in an instruction share, such as `car` if all are captions of cars."""
    examples = [line for line in instruction.casefold().split("\n") if STEM.match(line) and "[" not in line]
    if len(examples) < EXAMPLES:
        return set()
    shared = set.intersection(*({*WORD.findall(STEM.sub("", line, count=1))} for line in examples))
    return shared - FUNCTION_WORDS
