"""Prompts composed of adjectives and settings, which a language model writes in separate calls.

The paper asks for whole sentences; its published code composes them this way for Llama.
"""

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from diagen.config import ComposedPrompts
from diagen.errors import InputError
from diagen.models.pseudo_words import class_words
from diagen.prompts.collection import fill_instruction, prompt_rows
from diagen.prompts.form import ENDINGS_CUT, article, is_valid, with_article
from diagen.prompts.llama import ask
from diagen.prompts.prompts_file import PromptRow

if TYPE_CHECKING:
    from llama_cpp import Llama

ADJECTIVE_WORDS = 2  # words at most
SETTING_WORDS = 6  # words at most
BEFORE_THE_NOUN = re.compile(r"^(?:(?:in|at|on) )?(?:(?:an?|the) )?")
"""The removable start of a setting in an answer: `compose` adds `in a`."""


def compose_class_prompts(
    llama: "Llama", class_names: Sequence[str], adjectives: str, places: str, settings: ComposedPrompts
) -> Iterator[PromptRow]:
    """Yield `settings.per_class` distinct, valid prompts for each class: its i-th adjective with its i-th setting.

    `adjectives` and `places` are the texts of the two instructions. Raises `InputError`, naming the class, if there are
    fewer after `settings.attempts` pairs of calls.
    """
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

    def prompts_of(class_name: str) -> list[str]:
        looks: dict[str, None] = {}  # as ordered sets
        scenes: dict[str, None] = {}
        for attempt in range(settings.attempts):
            looks |= dict.fromkeys(phrases(class_name, "adjectives", attempt))
            found = phrases(class_name, "settings", attempt)
            scenes |= dict.fromkeys(BEFORE_THE_NOUN.sub("", phrase) for phrase in found)
            pairs = zip(looks, scenes, strict=False)
            prompts = [compose(adjective, class_name, setting) for adjective, setting in pairs]
            valid = [prompt for prompt in prompts if is_valid(prompt, class_name)]
            if len(valid) >= settings.per_class:
                return valid[: settings.per_class]
        raise InputError(
            f"class `{class_name}`: {settings.attempts} pairs of calls of the language model returned {len(valid)} "
            f"distinct valid prompts, and {settings.per_class} are needed; raise `attempts`, `max_tokens` or "
            f"`temperature` of the prompt set, lower `per_class`, or change {settings.adjectives} or "
            f"{settings.settings}"
        )

    yield from prompt_rows(class_names, prompts_of)


def compose(adjective: str, class_name: str, setting: str) -> str:
    """`a photo of a <adjective> <class> in a <setting>`, with `an` before a vowel sound."""
    return with_article(f"a photo of a {adjective} {class_words(class_name)} in {article(setting)} {setting}")


def phrase_grammar(count: int, longest: int) -> str:
    """A GBNF grammar of `count` lines of at most `longest` words each."""
    return (
        f"root ::= line{{{count}}}\n"
        f'line ::= word (" " word){{0,{longest - 1}}} "\\n"\n'
        'word ::= part ("-" part)?\n'
        "part ::= [a-z]{1,16}\n"
    )
