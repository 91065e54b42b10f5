"""Accuracy over strength and guidance scale, where methods differ in nothing else (the paper's Figs. 7 and 8)."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import altair as alt
import pandas as pd
from markupsafe import Markup

from diagen.comparisons.tables_file import ALL_SHOTS
from diagen.config.programs import WriteReportSettings
from diagen.report.labels import label
from diagen.report.page.charts import CARD, figure, records, scale_ends
from diagen.report.page.looks import looks
from diagen.report.page.templates import fragment, join
from diagen.report.page.words import interval, listed, percent
from diagen.report.results import Results, Table
from diagen.report.section import Section

KNOBS = {
    "strength": (
        "Strength",
        "strength",
        "How much of a guide image is replaced: at 1 nothing of it is left (the paper's Fig. 7).",
    ),
    "guidance_scale": (
        "Guidance scale",
        "guidance scale",
        "How closely images follow their prompts (the paper's Fig. 8).",
    ),
}
"""Heading, axis title and meaning of each setting of a generator that curves are drawn over."""

_KNOB = """<h3>{{ heading }}</h3>
<p>{{ meaning }} Accuracy in percent, mean over the numbers of photos, with 95 % intervals, for methods that differ in
nothing else.</p>
<div class="grid">{% for panel in panels %}<div class="card">{{ panel }}</div>{% endfor %}</div>"""


@dataclass(frozen=True)
class Family:
    """Methods that differ in one setting of their generators, by its value, and the method that names them."""

    name: str
    methods: Mapping[float, str]


def families(settings: WriteReportSettings, knob: str) -> list[Family]:
    """The groups of at least two methods whose generators differ in `knob` alone."""
    groups: dict[str, dict[float, str]] = {}
    for name, method in settings.methods.items():
        if method.generator is None:
            continue
        generator = settings.generators[method.generator].model_dump(mode="json")
        value = generator.pop(knob)
        key = json.dumps([generator, method.model_dump(mode="json", exclude={"generator"})], sort_keys=True)
        groups.setdefault(key, {}).setdefault(value, name)
    first = (settings.primary or "", "diagen", "da_fusion")
    return [
        Family(next((name for name in first if name in group.values()), next(iter(group.values()))), group)
        for group in groups.values()
        if len(group) > 1
    ]


def curves(results: Results) -> Section | None:
    """The curves of each setting that methods differ in; none if there is none."""
    parts = [
        _knob(results, dataset, knob, found)
        for knob in KNOBS
        if (found := families(results.settings, knob))
        for dataset in results.settings.datasets
    ]
    return Section("curves", "Strength, guidance", join(parts)) if parts else None


def _knob(results: Results, dataset: str, knob: str, found: Sequence[Family]) -> Markup:
    means = results.means
    rows = means[(means["dataset"] == dataset) & (means["shots"] == ALL_SHOTS)]
    rows = rows[rows["method"].isin([name for family in found for name in family.methods.values()])]
    ends = 100 * pd.concat([rows["low"], rows["high"], rows["mean"]]).dropna()
    low, high = scale_ends(float(ends.min()), float(ends.max()), least=20, step=10)
    panels = [
        _panel(f"curve-{knob}-{dataset}-{split}", rows[rows["split"] == split], knob, split, found, (low, high))
        for split in dict.fromkeys(rows["split"])
    ]
    heading, _, meaning = KNOBS[knob]
    heading += f": {label(dataset)}" if len(results.settings.datasets) > 1 else ""
    return fragment(_KNOB, heading=heading, meaning=meaning, panels=panels)


def _panel(
    identifier: str,
    rows: Table,
    knob: str,
    split: str,
    found: Sequence[Family],
    ends: tuple[float, float],
) -> Markup:
    means = rows.set_index("method")
    values = [
        {
            "value": value,
            "family": label(family.name),
            "mean": 100 * means.loc[method, "mean"],
            "low": None if pd.isna(means.loc[method, "low"]) else 100 * means.loc[method, "low"],
            "high": None if pd.isna(means.loc[method, "high"]) else 100 * means.loc[method, "high"],
            "text": f"{percent(means.loc[method, 'mean'])} "
            f"({interval(means.loc[method, 'low'], means.loc[method, 'high'])})",
        }
        for family in found
        for value, method in sorted(family.methods.items())
        if method in means.index
    ]
    names = [family.name for family in found]
    colors = looks(names)
    scale = alt.Scale(domain=[label(name) for name in names], range=[colors[name][0] for name in names])
    several = alt.Legend(orient="top", title=None) if len(names) > 1 else None
    found_values = sorted({each["value"] for each in values})
    margin = (found_values[-1] - found_values[0]) * 0.08
    x = alt.X(
        "value:Q",
        title=KNOBS[knob][1],
        scale=alt.Scale(domain=[found_values[0] - margin, found_values[-1] + margin], nice=False, zero=False),
        axis=alt.Axis(values=found_values, grid=False, format="~g"),
    )
    y_scale = alt.Scale(domain=list(ends), nice=False, zero=False)
    y = alt.Y("mean:Q", title="accuracy, %", scale=y_scale, axis=alt.Axis(tickCount=5))
    base = alt.Chart(records(values)).encode(x=x, color=alt.Color("family:N", scale=scale, legend=several))
    chart = alt.layer(
        base.mark_line(strokeWidth=1.8).encode(y=y),
        base.mark_rule(strokeWidth=2).encode(y=alt.Y("low:Q", scale=y_scale), y2="high:Q"),
        base.mark_point(filled=True, size=100, opacity=1, stroke=CARD).encode(
            y=y, tooltip=[alt.Tooltip("family:N"), alt.Tooltip("value:Q"), alt.Tooltip("text:N", title="%")]
        ),
    ).properties(height=260)
    said = listed([f"{each['text']} % at {each['value']:g}" for each in values])
    description = f"Accuracy on {label(split)} over {KNOBS[knob][1]}: {said}."
    caption = f"The scale runs from {ends[0]:.0f} to {ends[1]:.0f} %."
    return figure(identifier, chart, description, height=310, title=label(split), caption=caption)
