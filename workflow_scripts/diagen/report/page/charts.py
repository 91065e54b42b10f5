"""Charts of the page: Vega-Lite specifications with a text alternative, drawn by the page's script."""

from collections.abc import Sequence
from typing import Any

import altair as alt
from markupsafe import Markup

from diagen.report.page.templates import compact_json, fragment

INK, FAINT, LINE, CARD = "var(--ink)", "var(--faint)", "var(--line)", "var(--card)"
"""Colors of the page, which differ between light, dark and print. SVG elements take them as they are."""
POINTS_LABEL = "(datum.value > 0 ? '+' : '') + datum.label"
"""The labels of an axis of differences: signed numbers."""
GOOD, BAD, ACCENT = "var(--good)", "var(--bad)", "var(--accent)"

_FIGURE = """<figure class="chart" id="{{ identifier }}">
{% if title %}<div class="title">{{ title }}</div>{% endif %}
<div class="plot" role="img" aria-label="{{ description }}" style="min-height: {{ height }}px"></div>
<script type="application/json" class="spec">{{ specification }}</script>
{% if caption %}<figcaption>{{ caption }}</figcaption>{% endif %}
</figure>"""


def records(rows: Sequence[dict[str, Any]]) -> alt.InlineData:
    """Rows as the data of a chart."""
    return alt.InlineData(values=list(rows))


def figure(
    identifier: str,
    chart: alt.Chart | alt.LayerChart | alt.FacetChart,
    description: str,
    *,
    height: int,
    title: str = "",
    caption: str | Markup = "",
) -> Markup:
    """The chart as a figure as wide as its place, at least `height` pixels high before it is drawn.

    `description` is its text alternative, for screen readers and where scripts do not run.
    """
    content = chart.properties(width="container", description=description).to_dict()
    for unused in ("config", "$schema"):
        content.pop(unused, None)
    return fragment(
        _FIGURE,
        identifier=identifier,
        description=description,
        specification=Markup(compact_json(content)),
        height=height,
        title=title,
        caption=caption,
    )


def scale_ends(low: float, high: float, least: float, step: float) -> tuple[float, float]:
    """The ends of an axis that shows `low` to `high`, in percent.

    They are multiples of `step` in [0, 100], if possible at least `least` apart.
    """
    first, last = step * (low // step), -step * (-high // step)
    while last - first < least:
        if first > 0:
            first -= step
        if last < 100 and last - first < least:
            last += step
        if first <= 0 and last >= 100:
            break
    return max(first, 0.0), min(last, 100.0)
