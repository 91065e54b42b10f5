"""What all language models share: the instruction, and the collection of distinct, valid prompts (section 3.3)."""

import re
from collections.abc import Callable, Iterator, Sequence

from diagen.errors import InputError, Problem
from diagen.models.pseudo_words import class_words
from diagen.prompts.form import article, is_valid, with_article
from diagen.prompts.prompts_file import PromptRow
from diagen.runtime.progress import progress

PLACEHOLDERS = {"num_prompts", "class_name"}
BEFORE_THE_NAME = re.compile(r"\ban?(?= \{class_name\})")
"""An article of the class name in an instruction."""


def fill_instruction(template: str, class_name: str, num_prompts: int, file: str) -> str:
    """Fill in the two placeholders of an instruction, each as often as it occurs; `file` is its name in messages.

    `a {class_name}` becomes `an umbrella` where the name asks for it. Raises `InputError` if a placeholder is missing
    or unknown.
    """
    found = set(re.findall(r"\{(\w+)\}", template))
    if found != PLACEHOLDERS:
        wrong = [Problem(f"lacks `{{{name}}}`") for name in sorted(PLACEHOLDERS - found)]
        wrong += [Problem(f"has the unknown placeholder `{{{name}}}`") for name in sorted(found - PLACEHOLDERS)]
        raise InputError(
            f"{file}: the instruction {' and '.join(wrong)}; use {{num_prompts}} and {{class_name}} and no others"
        )
    words = class_words(class_name)
    filled = template.replace("{num_prompts}", str(num_prompts))
    filled = BEFORE_THE_NAME.sub(lambda _: article(words), filled)
    return filled.replace("{class_name}", words)


def prompt_rows(class_names: Sequence[str], prompts_of: Callable[[str], list[str]]) -> Iterator[PromptRow]:
    """Yield the numbered prompts of each class, in the order of `class_names`.

    Raises `InputError` if a class name contains no words.
    """
    for class_name in progress(class_names, total=len(class_names), progress_label="write_prompts", unit="classes"):
        if not class_words(class_name):
            raise InputError(f"class `{class_name}`: the name contains no words to write about; rename the class")
        for number, prompt in enumerate(prompts_of(class_name)):
            yield PromptRow(class_name, number, prompt)


def collect(
    class_name: str, answer: Callable[[int], list[str]], wanted: int, attempts: int, instruction: str
) -> list[str]:
    """Collect `wanted` distinct, valid prompts from the lines that `answer` returns for each attempt.

    Raises `InputError`, naming the class and the file of the `instruction`, if there are fewer after all attempts.
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
        f"class `{class_name}`: {attempts} calls of the language model returned {len(found)} distinct valid prompts, "
        f"and {wanted} are needed; raise `attempts`, `max_tokens` or `temperature` of the prompt set or `context` of "
        f"`models.llama`, lower `per_class`, or change the instruction {instruction}"
    )
