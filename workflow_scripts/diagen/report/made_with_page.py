"""Versions, devices, threads and micro-batches of all results, as an HTML page."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from diagen.files.made_with import Share
from diagen.report.pages import render

STAGES = {
    "features": "features",
    "prompts": "prompts",
    "embeddings": "learned words",
    "noise_ceilings": "noise ceilings",
    "guide_classifiers": "guide classifiers",
    "manifest": "synthetic images",
    "weights": "weights",
    "downstream": "downstream classifiers",
    "diversity": "diversity",
}
"""Display names of the kinds of results, in the order of the stages."""

PLANNED = (STAGES["embeddings"], "micro_batch")
"""The rows per pass follow from the number of classes of a cell, so they differ between datasets without a mixture."""

_STYLE = """
table { border-collapse: collapse; font-variant-numeric: tabular-nums; margin: .6rem 0 1rem; }
th { font-weight: 500; text-align: left; padding: .25rem 1.2rem .25rem 0; border-bottom: 1px solid var(--line); }
td { padding: .25rem 1.2rem .25rem 0; vertical-align: top; white-space: nowrap; }
.mixed { border-left: 4px solid var(--mark); padding-left: .8rem; }
"""

_BODY = """
<p class="faint">Besides settings and code, these values affect how results round. Changing them reruns nothing, so an
experiment may contain results of different versions.</p>
{% if mixed %}
<p class="mixed">These results are mixed: {% for name, values in mixed %}{{ name }} {{ values | join(", ") }}{{
"; " if not loop.last }}{% endfor %}. Figures that compare them also compare these differences. To compute them again
with the same versions, delete the results that differ, or run with <code>--forceall</code>.</p>
{% else %}
<p>All results were made with the same versions on the same kind of device.</p>
{% endif %}
<table>
<thead><tr><th>stage</th><th>parts</th>{% for name in names %}<th>{{ name }}</th>{% endfor %}</tr></thead>
<tbody>
{% for row in rows %}
<tr><td>{{ row.stage }}</td><td>{{ row.parts }}</td>
{% for name in names %}<td>{{ row.values.get(name, "–") }}</td>{% endfor %}</tr>
{% endfor %}
</tbody>
</table>
"""


@dataclass(frozen=True)
class Row:
    """The number of `parts` (images, words, jobs) of a stage that were made with `values`."""

    stage: str
    parts: int
    values: dict[str, str]


def made_with_page(records: Iterable[tuple[str, list[Share]]]) -> str:
    """The page for `records`, pairs of a kind in `STAGES` and its shares; it marks mixed versions and devices."""
    counts: Counter[tuple[str, tuple[tuple[str, str], ...]]] = Counter()
    for kind, shares in records:
        for share in shares:
            counts[kind, tuple(sorted(share["made_with"].items()))] += share["parts"]
    order = list(STAGES)
    rows = [
        Row(STAGES[kind], parts, dict(values))
        for (kind, values), parts in sorted(counts.items(), key=lambda item: (order.index(item[0][0]), item[0][1]))
    ]
    names = list(dict.fromkeys(name for row in rows for name in row.values))
    return render("Made with", _STYLE, _BODY, rows=rows, names=names, mixed=_mixed(rows))


def _mixed(rows: Iterable[Row]) -> list[tuple[str, list[str]]]:
    """Names with more than one value: versions and devices over all stages, how a stage ran within each."""
    found: dict[tuple[str, str], set[str]] = {}
    for row in rows:
        for name, value in row.values.items():
            if (row.stage, name) == PLANNED:
                continue
            scope = row.stage if name in ("torch_threads", "micro_batch", "dtype", "compiled") else ""
            found.setdefault((scope, name), set()).add(value)
    return [
        (f"{name} of {scope}" if scope else name, sorted(values))
        for (scope, name), values in found.items()
        if len(values) > 1
    ]
