"""Each class: what it gains, how its images look, the best and the worst of them, and what it is mistaken for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import altair as alt
import pandas as pd
from markupsafe import Markup

from diagen.comparisons.tables_file import ALL_SHOTS
from diagen.plurals import count
from diagen.report.labels import label
from diagen.report.page.charts import BAD, CARD, FAINT, GOOD, INK, POINTS_LABEL, figure, records
from diagen.report.page.tables import Cell, Column, Row, number, table
from diagen.report.page.templates import fragment, join
from diagen.report.page.thumbnails import thumbnail
from diagen.report.page.words import NONE, interval, percent, points, rough, spaced
from diagen.report.results import Record, Results, ScoredImage, Table
from diagen.report.section import Section
from diagen.report.sections.confusion import confusions

SHOWN = 3  # best and worst images of a class
CLASSES = 24  # classes whose images are shown

STYLE = """
#classes .exhibits { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 30rem), 1fr));
  gap: 1.1rem; }
#classes .exhibit { margin: 0; }
#classes .exhibit h4 { display: flex; justify-content: space-between; gap: 1rem; }
#classes .exhibit h4 small { display: inline; }
#classes .row { display: grid; grid-template-columns: repeat(6, 1fr); gap: .45rem; }
#classes .row figcaption { margin-top: .2rem; font-size: .78rem; text-align: center;
  font-variant-numeric: tabular-nums; }
#classes .ends { display: grid; grid-template-columns: 1fr 1fr; font-size: .78rem; margin-bottom: .3rem; }
#classes .thumbnail.worst { outline: 2px solid var(--bad); outline-offset: -2px; }
@media (max-width: 30rem) { #classes .row { grid-template-columns: repeat(3, 1fr); } #classes .ends { display: none; } }
"""
_INTRODUCTION = """<p>{{ method }} compared with {{ baseline }} {{ where }}
{%- if several %}, mean over the numbers of photos{% endif %}.
A class has few test photos, so its interval is wide, and among many classes some gain or lose by chance.</p>"""
_EXHIBITS = """<h3>Best and worst images</h3>
<p>By the confidence of the guide classifier, a classifier of real photos, that an image shows its class; in
percent, below each image. The weighting draws images of low confidence rarely. {{ remark }}</p>
<div class="exhibits">
{% for exhibit in exhibits %}
<div class="card exhibit"><h4>{{ exhibit.name }}<small>{{ exhibit.images }}, mean {{ exhibit.mean }} %</small></h4>
<div class="ends"><span class="bad">least recognizable</span><span class="good">most recognizable</span></div>
<div class="row">{% for picture, confidence in exhibit.pictures %}<figure>{{ picture }}<figcaption>{{ confidence }}
</figcaption></figure>{% endfor %}</div></div>
{% endfor %}
</div>"""


@dataclass(frozen=True)
class Exhibit:
    """A class with its least and its most recognizable images."""

    name: str
    images: str
    mean: str
    pictures: list[tuple[Markup, str]]


def classes(results: Results) -> Section | None:
    """The classes of each dataset with a primary comparison; none if there is none."""
    parts = [part for _, row in results.primary.iterrows() for part in _dataset(results, row)]
    return Section("classes", "Classes", join(parts), STYLE) if parts else None


def _dataset(results: Results, primary: Record) -> list[Markup]:
    dataset = str(primary["dataset"])
    table = results.comparisons
    rows = table[(table["dataset"] == dataset) & (table["class"] != "") & (table["shots"] == ALL_SHOTS)]
    rows = rows[(rows["method"] == primary["method"]) & (rows["baseline"] == primary["baseline"])]
    gains = rows[rows["split"] == primary["split"]].dropna(subset=["estimate"])
    gains = gains.sort_values("estimate", ascending=False, kind="stable")
    scored: dict[str, list[ScoredImage]] = {}
    for each in results.scored_images(dataset):
        scored.setdefault(each.row.class_name, []).append(each)
    introduction = fragment(
        _INTRODUCTION,
        method=label(primary["method"]),
        baseline=label(primary["baseline"]),
        where=results.where(primary["split"]),
        several=len(results.settings.shots) > 1,
    )
    heading = fragment("<h3>{{ name }}</h3>", name=label(dataset)) if len(results.settings.datasets) > 1 else Markup()
    parts = [heading, introduction]
    if len(gains):
        parts += [_chart(dataset, gains), _table(results, primary, rows, scored)]
    if scored:
        parts.append(_exhibits(results, scored))
    return [*parts, confusions(results, dataset)]


def _chart(dataset: str, gains: Table) -> Markup:
    values = [
        {
            "class": spaced(row["class"]),
            "gain": 100 * row["estimate"],
            "low": None if pd.isna(row["low"]) else 100 * row["low"],
            "high": None if pd.isna(row["high"]) else 100 * row["high"],
            "sign": "gains" if row["low"] > 0 else "loses" if row["high"] < 0 else "unclear",
            "text": f"{points(row['estimate'])} ({interval(row['low'], row['high'], signed=True)})",
        }
        for row in gains.to_dict("records")
    ]
    reach = max([5.0, *(abs(each[key] or 0.0) for each in values for key in ("gain", "low", "high"))])
    scale = alt.Scale(domain=[-reach * 1.03, reach * 1.03], nice=False)

    def x(field: str) -> alt.X:
        axis = alt.Axis(labelExpr=POINTS_LABEL, tickCount=5)
        return alt.X(f"{field}:Q", scale=scale, axis=axis, title="gain, points")

    colors = alt.Scale(domain=["gains", "loses", "unclear"], range=[GOOD, BAD, FAINT])
    y = alt.Y("class:N", sort=None, title=None, axis=alt.Axis(labelColor=INK, labelLimit=130))
    base = alt.Chart(records(values)).encode(y=y, color=alt.Color("sign:N", scale=colors, legend=None))
    chart = alt.layer(
        alt.Chart(records([{"zero": 0}])).mark_rule(stroke=INK, strokeWidth=1.2).encode(x=x("zero")),
        base.mark_rule(strokeWidth=2).encode(x=x("low"), x2="high:Q"),
        base.mark_point(filled=True, size=100, opacity=1, stroke=CARD).encode(
            x=x("gain"), tooltip=[alt.Tooltip("class:N"), alt.Tooltip("text:N", title="points")]
        ),
    ).properties(height=26 * len(values))
    first, last = values[0], values[-1]
    description = (
        f"Gain in accuracy of {count(len(values), 'class', 'classes')}, in points: most in {first['class']}, "
        f"{first['text']}, least in {last['class']}, {last['text']}. The table below holds all numbers."
    )
    caption = "Lines: 95 % intervals, not adjusted for the number of classes."
    drawn = figure(f"classes-{dataset}", chart, description, height=26 * len(values) + 50, caption=caption)
    return fragment('<div class="card">{{ drawn }}</div>', drawn=drawn)


def _table(results: Results, primary: Record, rows: Table, scored: Mapping[str, Sequence[ScoredImage]]) -> Markup:
    dataset, split = primary["dataset"], primary["split"]
    accuracies = results.per_class[(results.per_class["dataset"] == dataset) & (results.per_class["split"] == split)]
    means = accuracies.groupby(["method", "class"])["accuracy"].mean()
    measured = _measures(results, str(dataset))
    gains = rows.set_index(["split", "class"])
    splits = [split, *(each for each in dict.fromkeys(rows["split"]) if each != split)]
    columns = [Column("Class", numeric=False)]
    columns += [Column(f"Gain, {label(each)}") for each in splits]
    columns += [Column(label(primary["method"])), Column(label(primary["baseline"]))]
    columns += [Column("Precision"), Column("Recall")] if len(measured) else []
    columns += [Column("Mean confidence"), Column("Weights, range")] if scored else []
    content = []
    for name in dict.fromkeys(rows["class"]):
        cells = [Cell(spaced(name)), *(_gain(gains, each, name) for each in splits)]
        cells += [_percent(means.get((primary[key], name), float("nan"))) for key in ("method", "baseline")]
        if len(measured):
            found = measured.loc[name] if name in measured.index else {}
            cells += [_percent(found.get(key, float("nan"))) for key in ("precision", "recall")]
        if scored:
            images = scored.get(name, [])
            weights = [each.weight for each in images]
            confidences = [each.confidence for each in images]
            cells += [
                _percent(sum(confidences) / len(confidences)) if images else Cell(NONE),
                number(min(weights), f"{min(weights):.2f} to {max(weights):.2f}") if images else Cell(NONE),
            ]
        content.append(Row(cells))
    return table(f"classes-table-{dataset}", f"Classes of {label(str(dataset))}: points and percent", columns, content)


def _measures(results: Results, dataset: str) -> Table:
    """Precision and recall of the primary method's images by class, at the smallest k, means over cells."""
    table = results.diversity
    method = results.settings.methods.get(results.settings.primary or "")
    generator = method.generator if method else None
    rows = table[(table["dataset"] == dataset) & (table["generator"] == generator) & (table["scope"] != "pooled")]
    rows = rows[(rows["weighting"] == "") & (rows["variant"] == "paper")]
    rows = rows[rows["k"] == rows["k"].min()]
    return rows.groupby("scope")[["precision", "recall"]].mean()


def _gain(gains: Table, split: str, name: str) -> Cell:
    if (split, name) not in gains.index:
        return Cell(NONE)
    row = gains.loc[(split, name)]
    return number(row["estimate"], points(row["estimate"]), interval(row["low"], row["high"], signed=True))


def _percent(fraction: float) -> Cell:
    return Cell(NONE) if pd.isna(fraction) else number(fraction, percent(fraction))


def _exhibits(results: Results, scored: Mapping[str, Sequence[ScoredImage]]) -> Markup:
    means = {name: sum(each.confidence for each in images) / len(images) for name, images in scored.items()}
    names = sorted(means, key=lambda name: (means[name], name))
    remark = f"Shown are the {CLASSES} classes of the lowest mean confidence." if len(names) > CLASSES else ""
    exhibits = []
    for name in names[:CLASSES]:
        images = sorted(scored[name], key=lambda each: (each.confidence, each.row.file_name))
        worst = images[: min(SHOWN, len(images))]
        best = images[max(len(worst), len(images) - SHOWN) :]
        pictures = [
            (_picture(results, each, kind), rough(each.confidence))
            for kind, group in (("worst", worst), ("best", best))
            for each in group
        ]
        exhibits.append(Exhibit(spaced(name), count(len(images), "image"), percent(means[name], 0), pictures))
    return fragment(_EXHIBITS, exhibits=exhibits, remark=remark)


def _picture(results: Results, scored: ScoredImage, kind: str) -> Markup:
    text = f"{scored.row.prompt}, confidence {rough(scored.confidence)} %"
    return thumbnail(results.store / scored.row.file_name, text, kind)
