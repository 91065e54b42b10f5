"""What all language models share: the instruction, and the collection of distinct, valid prompts (section 3.3)."""

import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from diagen.errors import InputError, Problem
from diagen.letters import CONTROL, composed
from diagen.models.pseudo_words import class_words
from diagen.prompts.form import LONGEST, article, with_article
from diagen.prompts.judging import Judge
from diagen.prompts.lines_file import KEPT, SPARE, WrittenLine
from diagen.prompts.prompts_file import PromptRow
from diagen.prompts.refusals import describe_refusals, remedy
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


def lines_of_classes(class_names: Sequence[str], lines_of: Callable[[str], list[WrittenLine]]) -> Iterator[WrittenLine]:
    """Yield the lines of each class, in the order of `class_names`.

    Raises `InputError` if a class name contains no words.
    """
    for class_name in progress(class_names, total=len(class_names), progress_label="write_prompts", unit="classes"):
        if not class_words(class_name):
            raise InputError(f"class `{class_name}`: the name contains no words to write about; rename the class")
        yield from lines_of(class_name)


def collect(
    answer: Callable[[int], list[str]],
    wanted: int,
    attempts: int,
    judge: Judge,
    remedies: Mapping[str, Problem],
    unit: str = "calls",
) -> list[WrittenLine]:
    """Collect the lines that `answer` returns for each attempt, until the `judge` has accepted `wanted`.

    Warns of a class that took more than half of several attempts. Raises `InputError`, with the refused lines by
    reason, if there are fewer after all attempts; `remedies` are those of the source, for `refusals.remedy`. `unit` is
    what an attempt consists of, in messages.
    """
    lines: list[WrittenLine] = []
    kept = 0
    for attempt in range(attempts):
        for line in answer(attempt):
            prompt = with_article(composed(" ".join(line.split())))
            verdict = judge.refusal(prompt) or (KEPT if kept < wanted else SPARE)
            kept += verdict == KEPT
            lines.append(WrittenLine(judge.class_name, attempt, CONTROL.sub("\ufffd", prompt)[:LONGEST], verdict))
        if kept == wanted:
            if 1 < attempts < 2 * (attempt + 1):
                print(
                    f"class `{judge.class_name}`: took {attempt + 1} of {attempts} {unit} of the language model; "
                    f"refused lines: {describe_refusals(lines)}",
                    file=sys.stderr,
                    flush=True,
                )
            return lines
    raise InputError(
        f"class `{judge.class_name}`: {attempts} {unit} of the language model returned {kept} distinct valid prompts, "
        f"and {wanted} are needed; refused lines: {describe_refusals(lines)}; "
        f"{remedy(lines, wanted - kept, remedies)}"
    )


def kept_prompts(lines: Iterable[WrittenLine]) -> list[PromptRow]:
    """The kept lines as the prompts of their classes, numbered from 0 in each class."""
    rows: list[PromptRow] = []
    for each in lines:
        if each.verdict == KEPT:
            follows = bool(rows) and rows[-1].class_name == each.class_name
            rows.append(PromptRow(each.class_name, rows[-1].number + 1 if follows else 0, each.line))
    return rows
