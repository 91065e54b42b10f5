"""The prompts of each instruction: words, places, lengths and examples (the paper's Fig. 10), and refused lines."""

from collections import Counter
from collections.abc import Sequence

import altair as alt
from markupsafe import Markup

from diagen.prompts.lines_file import KEPT, WrittenLine, lines_path, read_lines
from diagen.prompts.refusals import refused_by_reason
from diagen.report.labels import label
from diagen.report.page.charts import ACCENT, figure, records
from diagen.report.page.tables import Cell, Column, Row, number, table
from diagen.report.page.templates import fragment, join
from diagen.report.page.words import NONE
from diagen.report.prompt_words import PromptWords, prompt_words
from diagen.report.results import Results
from diagen.report.section import Section

EXAMPLES = 4
REASONS = {
    "form": "not in the form of a prompt",
    "cut_off": "ends in the middle of a phrase",
    "too_long": "too many words",
    "clause": "a clause instead of phrases",
    "run_on": "words run together",
    "repetition": "repeats a word",
    "instruction_word": "a word about the writing of captions",
    "other_name": "names another class or the instruction's example",
    "duplicate": "the words of an earlier line",
}
"""Why lines are refused, in words."""

STYLE = """
#prompts .examples { padding-left: 1.1rem; margin: .5rem 0 0; font-size: .92rem; }
#prompts .examples li { margin: .2rem 0; overflow-wrap: anywhere; }
"""
_INTRODUCTION = """<p>What the prompts of each instruction consist of (compare the paper's Fig. 10), and how many
lines the
language model wrote for them. Words are counted without <code>a photo of a</code> and the class name, lengths with
them. A phrase with a word such as <code>night</code> is a time of day; any other that begins with a preposition of
place
is a place, weather included.</p>"""
_SET = """<div class="card">{{ chart }}
<ul class="examples">{% for line in examples %}<li><bdi>{{ line }}</bdi></li>{% endfor %}</ul></div>"""

Written = tuple[str, str, Sequence[WrittenLine]]
"""A dataset, one of its prompt sets, and the lines that were written for it."""


def prompts(results: Results) -> Section | None:
    """Lengths, figures and examples of each prompt set; none if no generator uses prompts."""
    names = results.settings
    sets: list[Written] = [
        (dataset, name, read_lines(lines_path(results.folder / dataset / "prompts" / f"{name}.csv")))
        for dataset in names.datasets
        for name in names.prompt_sets
    ]
    if not sets:
        return None
    kept = [[prompt_words(each.line, each.class_name) for each in lines if each.verdict == KEPT] for *_, lines in sets]
    every = [each.length for words in kept for each in words] or [1]
    cards = [_card(one, words, range(min(every), max(every) + 1)) for one, words in zip(sets, kept, strict=True)]
    parts = [fragment('<div class="grid">{{ cards }}</div>', cards=join(cards)), _figures(sets, kept)]
    if any(refused_by_reason(lines) for *_, lines in sets):
        parts.append(_refusals(sets))
    return Section("prompts", "Prompts", join([fragment(_INTRODUCTION), *parts]), STYLE)


def _name(dataset: str, name: str) -> str:
    return f"{label(dataset)}: {label(name)}"


def _card(one: Written, words: Sequence[PromptWords], lengths: range) -> Markup:
    dataset, name, lines = one
    counts = Counter(each.length for each in words)
    values = [{"length": length, "prompts": counts[length]} for length in lengths]
    chart = (
        alt.Chart(records(values))
        .mark_bar(fill=ACCENT, cornerRadiusEnd=2)
        .encode(
            x=alt.X("length:O", title="words in a prompt", axis=alt.Axis(labelAngle=0, labelOverlap=True)),
            y=alt.Y("prompts:Q", title="prompts", axis=alt.Axis(tickMinStep=1, tickCount=4)),
        )
        .properties(height=150)
    )
    found = [each.length for each in words]
    spread = f"{min(found)} to {max(found)} words, mean {sum(found) / len(found):.1f}" if found else "none"
    description = f"Lengths of the {len(words)} prompts of {_name(dataset, name)}: {spread}."
    drawn = figure(f"prompts-{dataset}-{name}", chart, description, height=200, title=_name(dataset, name))
    examples = [each.line for each in lines if each.verdict == KEPT][:EXAMPLES]
    return fragment(_SET, chart=drawn, examples=examples)


def _figures(sets: Sequence[Written], kept: Sequence[Sequence[PromptWords]]) -> Markup:
    columns = [Column("Prompt set", numeric=False), *map(Column, (
        "Prompts", "Words, mean (range)", "Distinct words", "Distinct places", "With a place, %", "Distinct times",
        "With a time, %", "Calls per class, mean (largest)", "Lines written", "Lines refused, %",
    ))]  # fmt: skip
    rows = [_row(_name(*one[:2]), one[2], words) for one, words in zip(sets, kept, strict=True)]
    return table("prompts-table", "Prompt sets", columns, rows)


def _row(name: str, lines: Sequence[WrittenLine], found: Sequence[PromptWords]) -> Row:
    lengths = [each.length for each in found]
    calls = list({each.class_name: each.call + 1 for each in lines}.values())  # the last line's call is the last one
    return Row([
        Cell(name),
        _whole(len(found)),
        _mean(lengths, f" ({min(lengths)} to {max(lengths)})") if lengths else Cell(NONE),
        _whole(len(frozenset().union(*(each.words for each in found)))),
        _whole(len(frozenset().union(*(each.places for each in found)))),
        _share(sum(bool(each.places) for each in found), len(found)),
        _whole(len(frozenset().union(*(each.times for each in found)))),
        _share(sum(bool(each.times) for each in found), len(found)),
        _mean(calls, f" ({max(calls)})") if calls else Cell(NONE),
        _whole(len(lines)),
        _share(refused_by_reason(lines).total(), len(lines)),
    ])  # fmt: skip


def _refusals(sets: Sequence[Written]) -> Markup:
    columns = [
        Column("Prompt set", numeric=False),
        Column("Reason", numeric=False),
        Column("Lines"),
        Column("The first of them", numeric=False),
    ]
    rows = []
    for dataset, name, lines in sets:
        first = {each.verdict: each.line for each in reversed(lines)}
        rows += [
            Row([Cell(_name(dataset, name)), Cell(REASONS[reason]), _whole(number_of), Cell(first[reason])])
            for reason, number_of in refused_by_reason(lines).most_common()
        ]
    return table("prompts-refused", "Refused lines", columns, rows)


def _whole(value: int) -> Cell:
    return number(value, f"{value:,}")


def _mean(values: Sequence[int], ending: str) -> Cell:
    mean = sum(values) / len(values)
    return number(mean, f"{mean:.1f}{ending}")


def _share(part: int, whole: int) -> Cell:
    return number(part / whole, f"{100 * part / whole:.0f}") if whole else Cell(NONE)
