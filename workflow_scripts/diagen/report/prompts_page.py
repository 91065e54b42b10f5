"""The report's page of prompt sets: their words, places and lengths, and what was refused on the way to them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from diagen.prompts.lines_file import KEPT, WrittenLine
from diagen.prompts.refusals import refused_by_reason
from diagen.report.labels import label
from diagen.report.pages import render
from diagen.report.prompt_words import prompt_words

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

_STYLE = """
body { max-width: 92rem; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; margin: .6rem 0 1rem; }
th { font-weight: 500; text-align: right; padding: .25rem .7rem; }
th.text, td.text { text-align: left; padding-left: 0; overflow-wrap: break-word; }
thead th { color: var(--faint); border-bottom: 1px solid var(--line); vertical-align: bottom; }
td { text-align: right; padding: .25rem .7rem; }
"""

_BODY = """
<p class="faint">What the prompts of each set consist of, and how many lines the language model wrote for them
(of a table: its prompts). Words
are counted without <code>a photo of a</code> and the class name, lengths with them. A phrase after the class name with
a word such as <code>night</code> or <code>morning</code> is a time of day; any other phrase that begins with a
preposition of place is a place, weather included.</p>
<table>
<thead><tr><th class="text">dataset</th><th class="text">prompt set</th><th>prompts</th><th>words in a prompt<br>
mean (range)</th><th>distinct<br>words</th><th>distinct<br>places</th><th>with a<br>place</th><th>distinct<br>times</th>
<th>with a<br>time</th><th>calls per class<br>mean (largest)</th><th>lines<br>written</th><th>lines<br>refused</th></tr>
</thead>
<tbody>
{% for row in rows %}
<tr><th class="text" scope="row">{{ row.dataset }}</th><td class="text">{{ row.name }}</td><td>{{ row.prompts }}</td>
<td>{{ row.length }}</td><td>{{ row.words }}</td><td>{{ row.places }}</td><td>{{ row.with_place }}</td>
<td>{{ row.times }}</td><td>{{ row.with_time }}</td><td>{{ row.calls }}</td><td>{{ row.lines }}</td>
<td>{{ row.refused }}</td></tr>
{% endfor %}
</tbody>
</table>
{% if refusals %}
<h2>Refused lines</h2>
<table>
<thead><tr><th class="text">dataset</th><th class="text">prompt set</th><th class="text">reason</th><th>lines</th>
<th class="text">the first of them</th></tr></thead>
<tbody>
{% for row in refusals %}
<tr><th class="text" scope="row">{{ row.dataset }}</th><td class="text">{{ row.name }}</td>
<td class="text">{{ row.reason }}</td><td>{{ row.lines }}</td><td class="text"><bdi>{{ row.example }}</bdi></td></tr>
{% endfor %}
</tbody>
</table>
{% endif %}
"""


@dataclass(frozen=True)
class Row:
    """The figures of a prompt set, as texts."""

    dataset: str
    name: str
    prompts: int
    length: str
    words: int
    places: int
    with_place: str
    times: int
    with_time: str
    calls: str
    lines: int
    refused: str


@dataclass(frozen=True)
class Refusals:
    """The number of lines of a prompt set that were refused for one reason, and the first of them."""

    dataset: str
    name: str
    reason: str
    lines: int
    example: str


def prompts_page(sets: Iterable[tuple[str, str, Sequence[WrittenLine]]]) -> str:
    """The self-contained HTML page for triples of dataset, prompt set and its written lines; all texts are escaped."""
    sets = list(sets)
    rows = [_row(label(dataset), label(name), lines) for dataset, name, lines in sets]
    refusals = [each for dataset, name, lines in sets for each in _refusals(label(dataset), label(name), lines)]
    return render("Prompts", _STYLE, _BODY, rows=rows, refusals=refusals)


def _row(dataset: str, name: str, lines: Sequence[WrittenLine]) -> Row:
    found = [prompt_words(each.line, each.class_name) for each in lines if each.verdict == KEPT]
    lengths = [each.length for each in found]
    calls = list({each.class_name: each.call + 1 for each in lines}.values())  # the last line's call is the last one
    refused = refused_by_reason(lines).total()
    return Row(
        dataset,
        name,
        len(found),
        f"{sum(lengths) / len(lengths):.1f} ({min(lengths)} to {max(lengths)})" if lengths else "–",
        len(frozenset().union(*(each.words for each in found))),
        len(frozenset().union(*(each.places for each in found))),
        _percent(sum(bool(each.places) for each in found), len(found)),
        len(frozenset().union(*(each.times for each in found))),
        _percent(sum(bool(each.times) for each in found), len(found)),
        f"{sum(calls) / len(calls):.1f} ({max(calls)})" if calls else "–",
        len(lines),
        _percent(refused, len(lines)),
    )


def _refusals(dataset: str, name: str, lines: Sequence[WrittenLine]) -> list[Refusals]:
    counts = refused_by_reason(lines)
    first = {each.verdict: each.line for each in reversed(lines)}
    return [Refusals(dataset, name, REASONS[reason], count, first[reason]) for reason, count in counts.most_common()]


def _percent(part: int, whole: int) -> str:
    return f"{100 * part / whole:.0f} %" if whole else "–"
