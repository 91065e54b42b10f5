"""Every method against the baseline, with intervals adjusted for their number (the paper's Figs. 4 and 5)."""

from math import ceil

import altair as alt
import pandas as pd
from markupsafe import Markup

from diagen.comparisons.tables_file import ALL_SHOTS
from diagen.plurals import count
from diagen.report.labels import label, where
from diagen.report.page.charts import BAD, CARD, FAINT, GOOD, INK, POINTS_LABEL, figure, records
from diagen.report.page.tables import Cell, Column, Row, number, table
from diagen.report.page.templates import fragment, join
from diagen.report.page.words import NONE, interval, points
from diagen.report.paper import PAPER_DATASETS
from diagen.report.results import Results, Table
from diagen.report.section import Section

ANSWERS = {"yes": "better", "hurts": "worse", "same": "no difference that matters", "unclear": "can't tell"}
COLORS = {"yes": GOOD, "hurts": BAD, "same": FAINT, "unclear": FAINT}

_INTRODUCTION = """<p>{% if several %}Means over the configured numbers of photos. {% endif %}Several methods are
compared at once, and among many comparisons some look large by chance. The thick line is the 95 % interval of one
comparison alone, the thin one is adjusted for the number of methods (Holm); judge by the thin one. Only the primary
comparison is marked, which was named before the run: its thick line counts.</p>
<p class="faint">{{ paper }}</p>"""
_PAPER = """The paper reports DIAGen 2 to 10.5 points above DA-Fusion across datasets and numbers of photos, further
above
standard augmentation, and above both in Uncommon Settings at every number of photos (Figs. 4 and 5)."""
_OTHERS = " Its data and models differ from those of this experiment, so only the pattern is comparable."
_PANELS = """<h3>Against {{ baseline }}{{ where }}</h3>
<div class="grid">{% for panel in panels %}<div class="card">{{ panel }}</div>{% endfor %}</div>
{{ tables }}"""


def methods(results: Results) -> Section | None:
    """Charts and tables of all comparisons over all classes and shots; none if there are no comparisons."""
    overall = results.comparisons
    overall = overall[(overall["class"] == "") & (overall["shots"] == ALL_SHOTS)].dropna(subset=["estimate"])
    if overall.empty:
        return None
    theirs = PAPER_DATASETS.keys() >= set(results.settings.datasets.values())
    several = len(results.settings.shots) > 1
    parts = [fragment(_INTRODUCTION, several=several, paper=_PAPER if theirs else _PAPER + _OTHERS)]
    named = results.primary["baseline"].tolist()
    for dataset in results.settings.datasets:
        of_dataset = overall[overall["dataset"] == dataset]
        baselines = dict.fromkeys([*named, *of_dataset["baseline"]])
        parts += [
            _against(results, dataset, name, of_dataset[of_dataset["baseline"] == name], f"{dataset}-{name}")
            for name in baselines
            if (of_dataset["baseline"] == name).any()
        ]
    return Section("methods", "Methods", join(parts))


def _against(results: Results, dataset: str, baseline: str, rows: Table, place: str) -> Markup:
    splits = list(dict.fromkeys(rows["split"]))
    ends = 100 * rows[["low", "high", "adjusted_low", "adjusted_high"]].abs().max().max()
    reach = max(3.0, float(ceil(1.05 * ends)))
    panels = [
        _forest(f"methods-{place}-{split}", rows[rows["split"] == split], split, baseline, reach) for split in splits
    ]
    tables = [
        _table(f"methods-table-{place}-{split}", rows[rows["split"] == split], split, baseline) for split in splits
    ]
    where = f": {label(dataset)}" if len(results.settings.datasets) > 1 else ""
    return fragment(_PANELS, baseline=label(baseline), where=where, panels=panels, tables=join(tables))


def _forest(identifier: str, rows: Table, split: str, baseline: str, reach: float) -> Markup:
    values = [
        {
            "method": label(row["method"]) + (" ◆" if row["primary"] else ""),
            **{
                key: None if pd.isna(row[key]) else 100 * row[key]
                for key in ("estimate", "low", "high", "adjusted_low", "adjusted_high")
            },
            "answer": row["answer"],
            "text": points(row["estimate"]),
            "about": f"{points(row['estimate'])} ({interval(row['low'], row['high'], signed=True)})",
        }
        for row in rows.to_dict("records")
    ]
    data = records(values)
    y = alt.Y("method:N", sort=None, title=None, axis=alt.Axis(labelColor=INK, labelLimit=170, labelPadding=8))
    scale = alt.Scale(domain=[-reach, reach], nice=False)
    axis = alt.Axis(labelExpr=POINTS_LABEL, tickCount=5)

    def x(field: str) -> alt.X:
        return alt.X(f"{field}:Q", scale=scale, axis=axis, title="difference, points")

    color = alt.Color("answer:N", scale=alt.Scale(domain=list(COLORS), range=list(COLORS.values())), legend=None)
    base = alt.Chart(data).encode(y=y, color=color)
    band = alt.Chart(records([{"from": -1, "to": 1, "zero": 0}]))
    chart = alt.layer(
        band.mark_rect(fill=FAINT, opacity=0.14).encode(x=x("from"), x2="to:Q"),
        band.mark_rule(stroke=INK, strokeWidth=1.2).encode(x=x("zero")),
        base.mark_rule(strokeWidth=1.4).encode(x=x("adjusted_low"), x2="adjusted_high:Q"),
        base.mark_rule(strokeWidth=4, opacity=0.75).encode(x=x("low"), x2="high:Q"),
        base.mark_point(filled=True, size=110, opacity=1, stroke=CARD, strokeWidth=1.2).encode(
            x=x("estimate"), tooltip=[alt.Tooltip("method:N"), alt.Tooltip("about:N", title="points")]
        ),
    ).properties(height=30 * len(values))
    best = max(values, key=lambda each: each["estimate"])
    description = (
        f"Difference in accuracy of {count(len(values), 'method')} to {label(baseline)} {where(split)}, in "
        f"percentage points. The largest is {best['about']} with {best['method']}. The table below holds all numbers."
    )
    height = 30 * len(values) + 60
    return figure(identifier, chart, description, height=height, title=label(split), caption=_key(rows))


def _key(rows: Table) -> Markup:
    return fragment(
        'Colors: <span class="good">better</span>, <span class="bad">worse</span>, gray: can\'t tell, or no difference '
        "that matters.{{ primary }}",
        primary=" ◆ The primary comparison." if rows["primary"].any() else "",
    )


def _table(identifier: str, rows: Table, split: str, baseline: str) -> Markup:
    columns = [
        Column("Method", numeric=False),
        Column("Difference"),
        Column("95 % interval"),
        Column("Adjusted interval"),
        Column("Adjusted p"),
        Column("Answer", numeric=False),
    ]
    content = [
        Row(
            [
                Cell(label(row["method"])),
                number(100 * row["estimate"], points(row["estimate"])),
                number(100 * row["low"], interval(row["low"], row["high"], signed=True)),
                number(100 * row["adjusted_low"], interval(row["adjusted_low"], row["adjusted_high"], signed=True)),
                number(row["adjusted_p"], NONE if pd.isna(row["adjusted_p"]) else f"{row['adjusted_p']:.3f}"),
                Cell(ANSWERS[row["answer"]]),
            ],
            marked=bool(row["primary"]),
        )
        for row in rows.to_dict("records")
    ]
    return table(identifier, f"{label(split)}: difference to {label(baseline)}, in points", columns, content)
