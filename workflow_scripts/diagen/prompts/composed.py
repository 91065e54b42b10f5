"""Prompts composed of adjectives and settings, which a language model writes in separate calls.

The paper asks for whole sentences; its published code composes them this way for Llama.
"""

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from diagen.config import ComposedPrompts
from diagen.errors import Problem
from diagen.models.pseudo_words import class_words
from diagen.prompts.collection import collect, fill_instruction, lines_of_classes
from diagen.prompts.form import ENDINGS_CUT, article, with_article
from diagen.prompts.judging import Judge
from diagen.prompts.lines_file import WrittenLine
from diagen.prompts.llama import REMEDIES, WORD_RULES, ask
from diagen.prompts.refusals import FEW_LINES

if TYPE_CHECKING:
    from llama_cpp import Llama

ADJECTIVE_WORDS = 2  # words at most
SETTING_WORDS = 6  # words at most
BEFORE_THE_NOUN = re.compile(r"^(?:(?:in|at|on) )?(?:(?:an?|the) )?")
"""The removable start of a setting in an answer: `compose` adds `in a`."""


def compose_class_prompts(
    llama: "Llama", class_names: Sequence[str], adjectives: str, places: str, settings: ComposedPrompts
) -> Iterator[WrittenLine]:
    """Yield the lines of each class: its i-th adjective with its i-th setting, `settings.per_class` of them kept.

    `adjectives` and `places` are the texts of the two instructions. Raises `InputError`, naming the class, if fewer
    are accepted after `settings.attempts` pairs of calls.
    """
    # Phrases that occur again are left out before any verdict.
    remedies = REMEDIES | {FEW_LINES: Problem("raise the `temperature` or `max_tokens` of the prompt set")}
    kinds = {
        "adjectives": (adjectives, settings.adjectives, ADJECTIVE_WORDS),
        "settings": (places, settings.settings, SETTING_WORDS),
    }

    def phrases(class_name: str, kind: str, attempt: int) -> list[str]:
        template, file, longest = kinds[kind]
        instruction = fill_instruction(template, class_name, settings.per_class, file)
        grammar = phrase_grammar(settings.per_class, longest)
        bound = settings.max_tokens * settings.per_class
        lines = ask(llama, instruction, grammar, settings, bound, (class_name, attempt, kind))
        return [line for line in lines if line and line.split()[-1] not in ENDINGS_CUT]

    def lines_of(class_name: str) -> list[WrittenLine]:
        judge = Judge(class_name, class_names)
        looks: dict[str, None] = {}  # as ordered sets
        scenes: dict[str, None] = {}

        def answer(attempt: int) -> list[str]:
            composed = min(len(looks), len(scenes))
            looks.update(dict.fromkeys(phrases(class_name, "adjectives", attempt)))
            found = phrases(class_name, "settings", attempt)
            scenes.update(dict.fromkeys(BEFORE_THE_NOUN.sub("", phrase) for phrase in found))
            pairs = list(zip(looks, scenes, strict=False))[composed:]
            return [compose(adjective, class_name, setting) for adjective, setting in pairs]

        return collect(answer, settings.per_class, settings.attempts, judge, remedies, "pairs of calls")

    yield from lines_of_classes(class_names, lines_of)


def compose(adjective: str, class_name: str, setting: str) -> str:
    """`a photo of a <adjective> <class> in a <setting>`, with `an` before a vowel sound."""
    return with_article(f"a photo of a {adjective} {class_words(class_name)} in {article(setting)} {setting}")


def phrase_grammar(count: int, longest: int) -> str:
    """A GBNF grammar of `count` lines of at most `longest` words each."""
    return f'root ::= line{{{count}}}\nline ::= word (" " word){{0,{longest - 1}}} "\\n"\n{WORD_RULES}'
