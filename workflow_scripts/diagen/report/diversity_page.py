"""Precision, recall, density and coverage as an HTML page, beside the paper's Table 1."""

from dataclasses import dataclass
from itertools import product
from typing import Any

import pandas as pd
from markupsafe import Markup

from diagen.report.labels import label
from diagen.report.pages import render
from diagen.report.statistics import MEASURES, over_seeds

# Table 1 of the paper (arXiv 2408.14584), percent, for 2, 4 and 8 shots.
PAPER_SHOTS = (2, 4, 8)
PAPER = {
    ("FOCUS", "DA-Fusion"): {"precision": (98.67, 97.67, 93.67), "recall": (8.00, 9.33, 7.00)},
    ("FOCUS", "DIAGen"): {"precision": (99.33, 96.00, 95.33), "recall": (25.67, 26.00, 20.00)},
    ("Custom COCO", "DA-Fusion"): {"precision": (89.33, 78.00, 82.67), "recall": (20.67, 21.67, 47.33)},
    ("Custom COCO", "DIAGen"): {"precision": (71.33, 60.67, 58.00), "recall": (58.00, 57.67, 59.67)},
    ("MS COCO", "DA-Fusion"): {"precision": (89.31, 89.69, 86.08), "recall": (3.69, 8.03, 15.19)},
    ("MS COCO", "DIAGen"): {"precision": (83.75, 81.56, 81.03), "recall": (36.06, 39.25, 41.39)},
}

_STYLE = """
body { max-width: 92rem; }
.tables { display: flex; flex-wrap: wrap; gap: 0 4rem; align-items: flex-start; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; margin: .3rem 0 1rem; }
caption { text-align: left; color: var(--faint); padding-bottom: .4rem; }
th { font-weight: 500; text-align: right; padding: .25rem .6rem; }
th[scope=row] { text-align: left; padding-left: 0; white-space: nowrap; }
thead tr:first-child th { text-align: center; border-bottom: 1px solid var(--line); }
thead tr:last-child th { color: var(--faint); border-bottom: 1px solid var(--line); }
td { text-align: right; padding: .25rem .4rem; min-width: 3.2rem;
  background: linear-gradient(#f3bf9f, #f3bf9f) no-repeat 0 100% / var(--share, 0) 3px; }
.first { border-left: 1.2rem solid #fff; }
"""

_BODY = """
<p class="faint">Synthetic images compared with the real ones in the feature space of DINOv2, in percent, means over
seeds. Precision and density measure whether synthetic images look real, recall and coverage whether they cover the
real images. A full bar is 100 %. Rows "drawn by weights" weight each image by its sampling probability in
training (eq. (2)). A set with k or fewer images, or images of positive weight, is not measured at that k.</p>
<div class="tables">
{% for column in columns %}
<div>
{% for table in column %}
<h2>{{ table.heading }}</h2>
<table>
<caption>{{ table.caption }}</caption>
<thead>
<tr><th></th>
{% for measure in table.measures %}
<th colspan="{{ table.shots | length }}"{{ first }}>{{ measure }}</th>
{% endfor %}
</tr>
<tr><th scope="row">shots</th>
{% for measure in table.measures %}
{% for count in table.shots %}<th scope="col"{{ first if loop.first }}>{{ count }}</th>{% endfor %}
{% endfor %}
</tr>
</thead>
<tbody>
{% for name, values in table.rows %}
<tr><th scope="row">{{ name }}</th>
{% for value in values %}
{% set edge = first if loop.index0 % (table.shots | length) == 0 %}
{% if value is none %}<td{{ edge }}>–</td>
{% else %}<td{{ edge }} style="--share: {{ [value, 100] | min | round(1) }}%">{{ "%.1f" | format(value) }}</td>
{% endif %}
{% endfor %}
</tr>
{% endfor %}
</tbody>
</table>
{% if table.note %}<p class="faint">{{ table.note }}</p>{% endif %}
{% endfor %}
</div>
{% endfor %}
</div>
"""


@dataclass(frozen=True)
class Table:
    """A table of the page: rows of (name, values in percent or `None`), ordered by measure, then by shots.

    `note` is the line below it.
    """

    heading: str
    caption: str
    measures: tuple[str, ...]
    shots: tuple[int, ...]
    rows: list[tuple[str, list[float | None]]]
    note: str = ""


def diversity_page(diversity: pd.DataFrame) -> str:
    """The page for the table `summary/diversity.csv` (columns `statistics.DIVERSITY`).

    Shows the scope `pooled` of the variant `paper`.
    """
    shown = (diversity["scope"] == "pooled") & (diversity["variant"] == "paper")
    pooled = diversity[shown].astype({"seed": int, "shots": int})
    groups = pooled.groupby(["dataset", "k"], sort=False)
    measured = [
        _measured(str(dataset), str(k), rows, pooled[pooled["dataset"] == dataset]) for (dataset, k), rows in groups
    ]
    first = Markup(' class="first"')
    return render("Precision and recall", _STYLE, _BODY, columns=[measured, [_reported()]], first=first)


def _measured(dataset: str, k: str, rows: pd.DataFrame, of_every_k: pd.DataFrame) -> Table:
    """The table of `rows`; sets and numbers of shots are those of the dataset `of_every_k`."""
    shots = tuple(sorted(of_every_k["shots"].unique().tolist()))
    by = ["generator", "weighting", "shots"]
    means = {measure: over_seeds(rows, by, measure).set_index(by)["mean"] for measure in MEASURES}
    columns = [(measure, count) for measure in MEASURES for count in shots]
    sets = _distinct(of_every_k, ["generator", "weighting"])
    values = [
        (_name(*one), [_percent(means[measure].get((*one, count))) for measure, count in columns]) for one in sets
    ]
    seeds = rows["seed"].nunique()
    caption = f"k = {k}, {seeds} seed{'s' if seeds > 1 else ''}, {rows['n_real'].max()} real images"
    return Table(f"Measured: {label(dataset)}", caption, tuple(MEASURES), shots, values, _omitted(rows, of_every_k))


def _omitted(rows: pd.DataFrame, of_every_k: pd.DataFrame) -> str:
    """The line that lists sets of the dataset without an entry in `rows`; empty if there are none."""
    present = set(_distinct(rows, ["generator", "weighting", "shots", "seed"]))
    sets, cells = _distinct(of_every_k, ["generator", "weighting"]), _distinct(of_every_k, ["shots", "seed"])
    missing = [
        f"{_name(*one)}, {shots} shots, seed {seed}"
        for one, (shots, seed) in product(sets, cells)
        if (*one, shots, seed) not in present
    ]
    return f"Not measured, since there are too few images: {'; '.join(missing)}." if missing else ""


def _distinct(table: pd.DataFrame, columns: list[str]) -> list[tuple[Any, ...]]:
    """The distinct values of `columns`, in the table's order."""
    return list(table[columns].drop_duplicates().itertuples(index=False, name=None))


def _name(generator: str, weighting: str) -> str:
    return f"{label(generator)}, drawn by weights: {label(weighting)}" if weighting else label(generator)


def _reported() -> Table:
    measures = ("precision", "recall")
    rows: list[tuple[str, list[float | None]]] = [
        (f"{dataset}, {method}", [value for measure in measures for value in values[measure]])
        for (dataset, method), values in PAPER.items()
    ]
    caption = "Real photos, Stable Diffusion v1-4, 3 seeds"
    return Table("Reported: the paper's Table 1", caption, measures, PAPER_SHOTS, rows)


def _percent(fraction: float | None) -> float | None:
    return None if fraction is None or pd.isna(fraction) else 100 * float(fraction)
