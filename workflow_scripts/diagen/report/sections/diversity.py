"""Precision and recall of the synthetic images, beside those of real photos and the paper's Table 1."""

from collections.abc import Sequence
from itertools import product

import altair as alt
import pandas as pd
from markupsafe import Markup

from diagen.config.choices import REAL
from diagen.plurals import count
from diagen.report.labels import VARIANTS, label
from diagen.report.page.charts import CARD, FAINT, figure, records
from diagen.report.page.looks import legend, looks
from diagen.report.page.tables import Cell, Column, Row, number, table
from diagen.report.page.templates import fragment, join
from diagen.report.page.words import NONE, listed, percent
from diagen.report.paper import PAPER_DATASETS, PAPER_SHOTS, TABLE_1
from diagen.report.results import Results, Table
from diagen.report.section import Section
from diagen.report.summary_tables import MEASURES

MEANINGS = {
    "equal_size": "Subsamples of one size, so that numbers of shots are comparable; real photos against other real "
    "photos show what can be reached.",
    "paper": "All images against all real photos of training and test. Recall grows with the number of images, so "
    "columns of different numbers of shots are not comparable.",
    "without_guides": "The photos that images were generated from are left out of the real ones: otherwise a copy of "
    "its guide image counts as realistic.",
}

_INTRODUCTION = """<p>Precision: how many synthetic images look like real ones. Recall: how much of the variety of real
photos the synthetic ones cover. Density and coverage are variants that are less sensitive to outliers; a density near
100 % equals that of real photos and is no maximum. In percent, in the feature space of DINOv2, means over
{{ seeds }}. Rows <em>by weight</em> measure images as training draws them (eq. (2)).</p>
<p class="faint">{{ paper }}</p>"""
_PAPER = """The paper reports recalls of DIAGen 12.3 to 37.3 points above those of DA-Fusion, at the cost of some
precision (Table 1)."""
_OTHERS = " Its data and models differ from those of this experiment, so only the pattern is comparable."
_CHARTS = """{{ legend }}
<div class="grid">{% for panel in panels %}<div class="card">{{ panel }}</div>{% endfor %}</div>"""
_DETAILS = """<details><summary>{{ summary }}</summary>{{ content }}</details>"""


def diversity(results: Results) -> Section | None:
    """A chart and tables of each dataset; none without synthetic images."""
    pooled = results.diversity[results.diversity["scope"] == "pooled"]
    if pooled.empty:
        return None
    theirs = {
        name: PAPER_DATASETS[adapter]
        for name, adapter in results.settings.datasets.items()
        if adapter in PAPER_DATASETS
    }
    same = len(theirs) == len(results.settings.datasets)
    seeds = count(len(results.settings.seeds), results.seed_noun)
    parts = [fragment(_INTRODUCTION, seeds=seeds, paper=_PAPER if same else _PAPER + _OTHERS)]
    for dataset in results.settings.datasets:
        parts += _dataset(dataset, pooled[pooled["dataset"] == dataset], theirs.get(dataset))
    reported = _reported(list(TABLE_1), "diversity-table-1", "The paper's Table 1, in percent")
    parts.append(fragment(_DETAILS, summary="The paper's Table 1", content=reported))
    return Section("diversity", "Diversity", join(parts))


def _dataset(dataset: str, rows: Table, reported: str | None) -> list[Markup]:
    if rows.empty:
        return []
    variants = [name for name in VARIANTS if (rows["variant"] == name).any()]
    neighbors = sorted(set(rows["k"]))
    first = rows[(rows["variant"] == variants[0]) & (rows["k"] == neighbors[0])]
    heading = fragment("<h3>{{ name }}</h3>", name=label(dataset))
    parts = [heading, _chart(dataset, first, variants[0])]
    if reported:
        theirs = [key for key in TABLE_1 if key[0] == reported]
        parts.append(
            _reported(theirs, f"diversity-table-1-{dataset}", f"For comparison, the paper on {reported}, percent")
        )
    tables = [
        _table(dataset, rows[(rows["variant"] == variant) & (rows["k"] == k)], variant, int(k), measures)
        for variant, k, measures in product(variants, neighbors, (MEASURES[:2], MEASURES[2:]))
    ]
    summary = f"Density and coverage, and other ways to measure {label(dataset)} ({len(tables) - 1} tables)"
    return [*parts, tables[0], fragment(_DETAILS, summary=summary, content=join(tables[1:]))]


def _means(rows: Table) -> Table:
    """Means over seeds by generator, weighting and shots; those of real photos hold for every number of shots."""
    synthetic = rows[rows["generator"] != REAL]
    means = synthetic.groupby(["generator", "weighting", "shots"], sort=False)[MEASURES].mean()
    real = rows[rows["generator"] == REAL]
    for shots in sorted(set(synthetic["shots"])) if len(real) else ():
        means.loc[(REAL, "", shots)] = real[MEASURES].mean()
    return means


def _name(generator: str, weighting: str) -> str:
    by = "by weight" if weighting == "paper" else f"by weight ({label(weighting)})"
    return f"{label(generator)}, {by}" if weighting else label(generator)


def _chart(dataset: str, rows: Table, variant: str) -> Markup:
    means = _means(rows[rows["weighting"] == ""]).reset_index().dropna(subset=["precision", "recall"])
    ceiling = means["generator"] == REAL
    synthetic = means[~ceiling]
    means = pd.concat([synthetic, means[ceiling][:1]])  # the ceiling is the same for every number of shots
    values = [
        (row["generator"], "" if row["generator"] == REAL else f"{row['shots']:.0f}", row["precision"], row["recall"])
        for row in means.to_dict("records")
    ]
    names = [label(name) for name in dict.fromkeys(means["generator"])]
    description = f"Precision over recall of {listed(names)} on {label(dataset)}."
    if len(synthetic):
        most = synthetic.loc[synthetic["recall"].idxmax()]
        description += (
            f" The highest recall of synthetic images is {percent(most['recall'])} % with {label(most['generator'])} "
            f"at {most['shots']:.0f} shots, at a precision of {percent(most['precision'])} %."
        )
    caption = f"{MEANINGS[variant]} Further right is more variety, further up more realism; numbers are shots."
    found = list(dict.fromkeys(means["generator"]))
    mine = _scatter(
        f"diversity-{dataset}", values, f"{description} The table below holds all numbers.", "Here", caption
    )
    theirs = [
        (name, paper_dataset, precision / 100, recall / 100)
        for (paper_dataset, method), numbers in TABLE_1.items()
        for name in ("da_fusion", "diagen")
        if label(name) == method
        for shots, precision, recall in zip(PAPER_SHOTS, numbers["precision"], numbers["recall"], strict=True)
        if shots == PAPER_SHOTS[1]
    ]
    paper = _scatter(
        f"diversity-paper-{dataset}",
        theirs,
        "Precision over recall in the paper, at 4 shots: DIAGen has a higher recall than DA-Fusion on each of three "
        "datasets, and on two of them a lower precision. The paper's Table 1 holds all numbers.",
        "In the paper, at 4 shots",
        "All images against all real photos; FOCUS, Custom COCO and MS COCO.",
    )
    return fragment(_CHARTS, legend=legend(list(dict.fromkeys([*found, "da_fusion", "diagen"]))), panels=[mine, paper])


def _scatter(
    identifier: str, rows: Sequence[tuple[str, str, float, float]], description: str, title: str, caption: str
) -> Markup:
    """Precision over recall of rows of generator, text, precision and recall."""
    generators = list(dict.fromkeys(row[0] for row in rows))
    found = looks(generators)
    values = [
        {"generator": name, "text": text, "precision": 100 * precision, "recall": 100 * recall, "order": order}
        for order, (name, text, precision, recall) in enumerate(rows)
    ]
    scale = alt.Scale(domain=[0, 105], nice=False)
    axis = alt.Axis(values=[0, 20, 40, 60, 80, 100])
    color_range, shape_range = ([found[name][part] for name in generators] for part in (0, 1))
    color = alt.Color("generator:N", scale=alt.Scale(domain=generators, range=color_range), legend=None)
    shape = alt.Shape("generator:N", scale=alt.Scale(domain=generators, range=shape_range), legend=None)
    base = alt.Chart(records(values)).encode(
        x=alt.X("recall:Q", title="recall, %: variety", scale=scale, axis=axis),
        y=alt.Y("precision:Q", title="precision, %: realism", scale=scale, axis=axis),
    )
    chart = alt.layer(
        base.mark_line(strokeWidth=1, opacity=0.45).encode(color=color, order="order:Q"),
        base.mark_point(filled=True, size=120, opacity=1, stroke=CARD).encode(color=color, shape=shape),
        base.mark_text(dy=13, fontSize=11, fill=FAINT).encode(text="text:N"),
    ).properties(height=330)
    return figure(identifier, chart, description, height=390, title=title, caption=caption)


def _table(dataset: str, rows: Table, variant: str, k: int, measures: Sequence[str]) -> Markup:
    means = _means(rows)
    shots = sorted(set(means.index.get_level_values("shots")))
    columns = [Column("Images", numeric=False)]
    columns += [Column(f"{measure.title()}, {each:.0f}\u00a0shots") for measure, each in product(measures, shots)]
    sets = list(dict.fromkeys((generator, weighting) for generator, weighting, _ in means.index))
    content = [
        Row(
            [
                Cell(_name(*one)),
                *(
                    _percent(means[measure].get((*one, each), float("nan")))
                    for measure, each in product(measures, shots)
                ),
            ],
            marked=one[0] == REAL,
        )
        for one in sorted(sets, key=lambda one: one[0] == REAL)
    ]
    caption = f"{' and '.join(measures).capitalize()}, {VARIANTS[variant].lower()}, k = {k}, in percent"
    return table(f"diversity-{dataset}-{variant}-{k}-{measures[0]}", caption, columns, content)


def _reported(entries: list[tuple[str, str]], identifier: str, caption: str) -> Markup:
    columns = [Column("Images", numeric=False)]
    columns += [Column(f"{measure.title()}, {each}\u00a0shots") for measure, each in product(MEASURES[:2], PAPER_SHOTS)]
    rows = [
        Row(
            [
                Cell(", ".join(entry)),
                *(_percent(value / 100) for name in MEASURES[:2] for value in TABLE_1[entry][name]),
            ]
        )
        for entry in entries
    ]
    return table(identifier, caption, columns, rows)


def _percent(fraction: float) -> Cell:
    return Cell(NONE) if pd.isna(fraction) else number(fraction, percent(fraction))
