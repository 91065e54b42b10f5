"""Explains how many lines were refused and why, for warnings and errors."""

from collections import Counter
from collections.abc import Iterable, Mapping

from diagen.errors import Problem
from diagen.letters import visible
from diagen.prompts.lines_file import KEPT, SPARE, WrittenLine

SHOWN = 80  # characters of a refused line in a message
_FORM = Problem("use a language model that follows instructions better, or have the instruction ask for this form")
_WORDS = Problem("use a larger language model, or change the instruction")
REMEDIES: dict[str, Problem] = {
    "form": _FORM,
    "cut_off": _WORDS,
    "too_long": _FORM,
    "clause": _FORM,
    "run_on": _WORDS,
    "repetition": _WORDS,
    "instruction_word": _WORDS,
    "other_name": Problem("have the instruction ask for settings without other objects"),
    "duplicate": Problem("raise the `temperature` of the prompt set"),
}
"""The first remedy for each reason, for any source."""
FEW_LINES = "few_lines"
"""Key of a source's remedy for answers with too few lines."""


def refused_by_reason(lines: Iterable[WrittenLine]) -> Counter[str]:
    """The number of refused lines for each reason."""
    return Counter(each.verdict for each in lines if each.verdict not in (KEPT, SPARE))


def describe_refusals(lines: Iterable[WrittenLine]) -> Problem:
    """The number of refused lines by reason, the most frequent first, each with one line: `form 3 (such as `...`)`."""
    lines = list(lines)
    first: dict[str, str] = {}
    for each in lines:
        first.setdefault(each.verdict, each.line)
    return Problem(
        ", ".join(
            f"{reason} {number} (such as `{visible(first[reason][:SHOWN])}`)"
            for reason, number in refused_by_reason(lines).most_common()
        )
        or "none"
    )


def remedy(lines: Iterable[WrittenLine], missing: int, remedies: Mapping[str, Problem]) -> Problem:
    """What helps if `missing` prompts are missing: against the most frequent reason, or against too few lines.

    `remedies` of the source take precedence over `REMEDIES`; they include `FEW_LINES`.
    """
    refused = refused_by_reason(lines)
    if refused.total() < missing:
        return Problem(f"{remedies[FEW_LINES]}, or raise `attempts` of the prompt set")
    ((reason, _),) = refused.most_common(1)
    first = {**REMEDIES, **remedies}[reason]
    return Problem(f"{first}, raise `attempts` of the prompt set, or lower its `per_class`")
