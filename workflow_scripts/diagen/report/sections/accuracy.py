"""Accuracy over the number of real photos: every seed, the mean and its interval, on each kind of test photos."""

from collections.abc import Sequence
from math import log2
from typing import Any

import altair as alt
import pandas as pd
from markupsafe import Markup

from diagen.comparisons.tables_file import ALL_SHOTS
from diagen.plurals import count
from diagen.report.labels import label
from diagen.report.page.charts import CARD, figure, records, scale_ends
from diagen.report.page.looks import legend, looks
from diagen.report.page.tables import Cell, Column, Row, number, table
from diagen.report.page.templates import fragment, join
from diagen.report.page.words import NONE, interval, listed, percent
from diagen.report.results import Results, Table
from diagen.report.section import Section

MOST_LINES = 9
"""Methods in the charts; more cannot be distinguished."""
ALWAYS = ("standard", "logistic_regression", "nearest_class_mean", "da_fusion")
"""Methods that are drawn before others when there are too many."""
DODGE = 0.045  # of the width of the axis, between methods at the same number of shots

_PANELS = """<h3>{{ heading }}</h3>
{{ legend }}
<div class="grid">{% for panel in panels %}<div class="card">{{ panel }}</div>{% endfor %}</div>
<p class="faint">{{ caption }}</p>
{{ tables }}"""
_INTRODUCTION = """<p>Accuracy is the mean of the classes' accuracies, in percent, on photos that no method has
seen{% if folds %}: each photo is tested once in each repeat, by methods that learned from the other folds{% endif %}.
{% if several %}
Each small dot is one {{ seed }}, the large marker the mean over {{ seeds }}, and the line through it the 95 % interval
for other training photos and other test photos of the same kind.
{% else %}
The line through each marker is the 95 % interval for other test photos of the same kind, with these training photos;
another draw of training photos may differ.
{% endif %}
{{ real_methods }} learn from the real photos alone.</p>"""
_REAL = ("standard", "logistic_regression", "nearest_class_mean")


def accuracy(results: Results) -> Section:
    """The charts and tables of each dataset."""
    real = [label(name) for name in _REAL if (results.means["method"] == name).any()]
    number_of_seeds = len(results.settings.seeds)
    introduction = fragment(
        _INTRODUCTION,
        seed=results.seed_noun,
        seeds=count(number_of_seeds, results.seed_noun),
        several=number_of_seeds > 1,
        folds=results.settings.folds > 1,
        real_methods=listed(real) if real else "Methods without a generator",
    )
    parts = [_dataset(results, dataset, place) for place, dataset in enumerate(results.settings.datasets)]
    return Section("accuracy", "Accuracy", join([introduction, *parts]))


def drawn_methods(methods: Sequence[str], first: Sequence[str]) -> list[str]:
    """At most `MOST_LINES` of the methods, in their order: those named `first`, then `ALWAYS`, then the others."""
    ranked = [name for name in dict.fromkeys((*first, *ALWAYS, *methods)) if name in methods]
    kept = ranked[:MOST_LINES]
    return [name for name in methods if name in kept]


def _dataset(results: Results, dataset: str, place: int) -> Markup:
    means = results.means[(results.means["dataset"] == dataset) & (results.means["shots"] != ALL_SHOTS)]
    if means.empty:
        return Markup()
    methods = list(dict.fromkeys(means["method"]))
    compared = results.primary[["method", "baseline"]].to_numpy().ravel().tolist()
    drawn = drawn_methods(methods, compared)
    means = means[means["method"].isin(drawn)].assign(shots=lambda rows: rows["shots"].astype(int))
    runs = results.accuracy[(results.accuracy["dataset"] == dataset) & results.accuracy["method"].isin(drawn)]
    values = pd.concat([100 * means[name] for name in ("low", "high", "mean")] + [100 * runs["accuracy"]]).dropna()
    low, high = scale_ends(float(values.min()), float(values.max()), least=30, step=10)
    splits = list(dict.fromkeys(means["split"]))
    panels = [
        _panel(
            f"accuracy-{place}-{split}", means[means["split"] == split], runs[runs["split"] == split], split, low, high
        )
        for split in splits
    ]
    classes = results.per_class.loc[results.per_class["dataset"] == dataset, "class"].nunique()
    caption = f"All panels have the same scale, {low:.0f} to {high:.0f} %"
    caption += ", not from zero" if low > 0 else ""
    caption += f"; guessing among {classes} classes gives {100 / classes:.0f} %." if classes else "."
    if len(drawn) < len(methods):
        caption += f" The charts show {len(drawn)} of {len(methods)} methods; the tables show all."
    heading = label(dataset) if len(results.settings.datasets) > 1 else "Over the number of photos"
    tables = [_table(results, dataset, split, methods, f"accuracy-table-{place}-{split}") for split in splits]
    return fragment(_PANELS, heading=heading, legend=legend(drawn), panels=panels, caption=caption, tables=join(tables))


def _panel(identifier: str, means: Table, runs: Table, split: str, low: float, high: float) -> Markup:
    methods = list(dict.fromkeys(means["method"]))
    shots = sorted(set(means["shots"]))
    width = log2(shots[-1] / shots[0]) if len(shots) > 1 else 1.0
    step = min(DODGE * width, 0.6 / len(methods)) if len(shots) > 1 else 1.2 / len(methods)
    pad = max(0.35, 0.12 * width + step * len(methods) / 2)
    shift = {name: step * (number - (len(methods) - 1) / 2) for number, name in enumerate(methods)}
    lines = [
        {
            "x": log2(row["shots"]) + shift[row["method"]],
            "mean": 100 * row["mean"],
            "low": 100 * row["low"],
            "high": 100 * row["high"],
            "method": label(row["method"]),
            "shots": int(row["shots"]),
            "text": f"{percent(row['mean'])} % ({interval(row['low'], row['high'])})",
        }
        for row in means.dropna(subset=["mean"]).to_dict("records")
    ]
    dots = [
        {
            "x": log2(row["shots"]) + shift[row["method"]] - 0.3 * step,
            "accuracy": 100 * row["accuracy"],
            "method": label(row["method"]),
        }
        for row in runs.to_dict("records")
    ]
    known = [each for each in lines if each["low"] == each["low"] and each["high"] == each["high"]]
    for each in lines:
        each["low"], each["high"] = (None if each[key] != each[key] else each[key] for key in ("low", "high"))
    found = looks(methods)
    names = [label(name) for name in methods]
    color = alt.Color("method:N", scale=_scale(names, [found[name][0] for name in methods]), legend=None)
    shape = alt.Shape("method:N", scale=_scale(names, [found[name][1] for name in methods]), legend=None)
    x = alt.X(
        "x:Q",
        title="real photos per class",
        scale=alt.Scale(domain=[log2(shots[0]) - pad, log2(shots[-1]) + pad], nice=False, zero=False),
        axis=alt.Axis(values=[log2(each) for each in shots], labelExpr="round(pow(2, datum.value))", grid=False),
    )
    ticks = 20 if high - low > 50 else 10
    values = sorted({*range(int(low), int(high) + 1, ticks), int(high)})
    y = alt.Y(
        "mean:Q",
        title="accuracy, %",
        scale=alt.Scale(domain=[low, high], nice=False, zero=False),
        axis=alt.Axis(values=values, labelOverlap=False),
    )
    base = alt.Chart(records(lines)).encode(x=x, color=color)
    several = runs["seed"].nunique() > 1  # the dot of a single seed is its mean
    layers: list[Any] = [
        alt.Chart(records(dots if several else []))
        .mark_circle(size=22, opacity=0.75)
        .encode(x=x, y=y_of("accuracy", y), color=color),
        base.mark_line(strokeWidth=1.3, opacity=0.55).encode(y=y),
        alt.Chart(records(known)).mark_rule(strokeWidth=2.2).encode(x=x, y=y_of("low", y), y2="high:Q", color=color),
        base.mark_point(filled=True, size=105, opacity=1, stroke=CARD, strokeWidth=1).encode(
            y=y,
            shape=shape,
            tooltip=[alt.Tooltip("method:N"), alt.Tooltip("shots:Q"), alt.Tooltip("text:N", title="%")],
        ),
    ]
    best = max(lines, key=lambda each: each["mean"])
    description = (
        f"Accuracy on {label(split)} over {listed([str(each) for each in shots])} real photos per class for "
        f"{listed(names)}. The highest mean is {best['mean']:.1f} % with {best['method']} at {best['shots']}. The "
        "table below holds all numbers."
    )
    return figure(identifier, alt.layer(*layers).properties(height=320), description, height=380, title=label(split))


def y_of(field: str, template: alt.Y) -> alt.Y:
    """The same axis for another field."""
    other = template.copy()
    other.shorthand = f"{field}:Q"
    return other


def _scale(domain: list[str], values: list[str]) -> alt.Scale:
    return alt.Scale(domain=domain, range=values)


def _table(results: Results, dataset: str, split: str, methods: list[str], identifier: str) -> Markup:
    means = results.means
    here = means[(means["dataset"] == dataset) & (means["split"] == split)].set_index(["method", "shots"])
    shots = list(dict.fromkeys(here.index.get_level_values("shots")))
    if len(shots) == 2:  # one number, and its mean
        shots.remove(ALL_SHOTS)
    columns = [Column("Method", numeric=False)]
    columns += [Column("Mean over shots" if each == ALL_SHOTS else f"{each}\u00a0shots") for each in shots]
    marked = set(results.primary["method"])
    rows = [
        Row([Cell(label(name)), *(_mean(here, name, each) for each in shots)], marked=name in marked)
        for name in methods
    ]
    return table(identifier, f"{label(split)}: accuracy in percent, with 95 % intervals", columns, rows)


def _mean(means: Table, method: str, shots: str) -> Cell:
    if (method, shots) not in means.index:
        return Cell(NONE)
    row = means.loc[(method, shots)]
    return number(100 * row["mean"], percent(row["mean"]), interval(row["low"], row["high"]))
