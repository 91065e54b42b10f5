"""Prompts that a language model writes for each class, in the paper's form (section 3.3).

`a photo of a [adjectives] <class> [weather, location, time of day]`: a grammar holds the model to the form, the words
are the model's own.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from diagen.errors import InputError
from diagen.models.pseudo_words import class_words
from diagen.runtime.progress import progress

if TYPE_CHECKING:
    pass
from diagen.prompts.form import is_valid, with_article
from diagen.prompts.prompts_file import PromptRow

PLACEHOLDERS = {"num_prompts", "class_name"}


# ---------------------------------------------------------------- instruction and grammar


def fill_instruction(template: str, class_name: str, num_prompts: int, file: str) -> str:
    """The instruction with its two placeholders filled in; `file` names it in messages.

    Raises `InputError` when a placeholder is missing or unknown.
    """
    found = set(re.findall(r"\{(\w+)\}", template))
    if found != PLACEHOLDERS:
        wrong = [f"lacks `{{{name}}}`" for name in sorted(PLACEHOLDERS - found)]
        wrong += [f"has the unknown placeholder `{{{name}}}`" for name in sorted(found - PLACEHOLDERS)]
        raise InputError(f"the instruction {file} {' and '.join(wrong)}; it needs {{num_prompts}} and {{class_name}}")
    return template.replace("{num_prompts}", str(num_prompts)).replace("{class_name}", class_words(class_name))


def prompt_rows(class_names: Sequence[str], prompts_of: Callable[[str], list[str]]) -> Iterator[PromptRow]:
    """The numbered prompts of each class, in the order of `class_names`.

    Raises `InputError` for a class name that holds no words.
    """
    for class_name in progress(class_names, total=len(class_names), progress_label="write_prompts", unit="classes"):
        if not class_words(class_name):
            raise InputError(f"the class name `{class_name}` holds no words to write about; rename the class")
        for number, prompt in enumerate(prompts_of(class_name)):
            yield PromptRow(class_name, number, prompt)


def collect(
    class_name: str, answer: Callable[[int], list[str]], wanted: int, attempts: int, instruction: str
) -> list[str]:
    """`wanted` distinct, valid prompts from the lines that `answer` gives at each attempt.

    Raises `InputError`, which names the class and the file of the `instruction`, when they aren't enough.
    """
    found: dict[str, str] = {}
    for attempt in range(attempts):
        for line in answer(attempt):
            prompt = with_article(" ".join(line.split()))
            if is_valid(prompt, class_name):
                found.setdefault(prompt.casefold(), prompt)
        if len(found) >= wanted:
            return list(found.values())[:wanted]
    raise InputError(
        f"class `{class_name}`: {attempts} calls of the language model gave {len(found)} distinct valid "
        f"prompts of the {wanted} asked for; raise `attempts`, `max_tokens` or `temperature` of the prompt set or the "
        f"`context` of `models.llama`, lower its `per_class`, or change the instruction {instruction}"
    )
