"""The first section: whether the method helps, by how much, how sure that is, and where to look."""

from dataclasses import dataclass
from math import ceil
from typing import Any

import altair as alt
from markupsafe import Markup

from diagen.comparisons.tables_file import ALL_SHOTS
from diagen.plurals import count
from diagen.report.labels import label
from diagen.report.page.charts import ACCENT, BAD, CARD, FAINT, GOOD, INK, POINTS_LABEL, figure, records
from diagen.report.page.templates import fragment, join
from diagen.report.page.thumbnails import thumbnail
from diagen.report.page.words import interval, points, rough, spaced, with_minus
from diagen.report.results import Record, Results, Table
from diagen.report.section import Section

MATTERS = 1.0  # points; a smaller difference does not matter (`same`)
ANSWERS = {
    "yes": ("Yes, it helps", "good"),
    "hurts": ("No, it hurts", "bad"),
    "same": ("No difference that matters", ""),
    "unclear": ("Can't tell", ""),
}
"""The answer that a comparison gives, as words and as a color of the page."""
COLORS = {"good": GOOD, "bad": BAD, "": ACCENT}
DRAWS_ONLY = (
    "The demo's small models, which know drawings only, made the images: this answer says nothing about DIAGen with "
    "models of full size."
)
ONE_SEED = "for these training photos; another draw may differ"

STYLE = """
#verdict .answer { font-size: clamp(1.9rem, 5.4vw, 3.2rem); font-weight: 760; letter-spacing: -.035em; line-height:
1.05;
  margin: .3rem 0 .2rem; }
#verdict .sentence { font-size: clamp(1.1rem, 2.3vw, 1.35rem); line-height: 1.4; max-width: 52rem; margin: .6rem 0; }
#verdict .facts { display: grid; grid-template-columns: repeat(auto-fit, minmax(10.5rem, 1fr)); gap: 1.1rem; margin:
1.4rem 0 0;
  border-top: 1px solid var(--line); padding-top: 1.2rem; }
#verdict .facts > div { min-width: 0; }
#verdict .facts dt { margin-bottom: .25rem; }
#verdict .facts dd { margin: 0; }
#verdict .facts dd b { display: block; font-size: 1.45rem; letter-spacing: -.02em; line-height: 1.2;
  overflow-wrap: anywhere; }
#verdict .facts .thumbnail { width: 6.5rem; margin-bottom: .35rem; }
#verdict .worth { margin-top: 1.3rem; border-top: 1px solid var(--line); padding-top: 1.1rem; }
#verdict .worth ul { padding-left: 1.1rem; margin: .4rem 0 0; }
#verdict .answer.small { font-size: clamp(1.3rem, 3vw, 1.7rem); letter-spacing: -.02em; }
#verdict .pictured dd { display: flex; flex-wrap: wrap; gap: .4rem .8rem; }
#verdict .pictured dd > div { flex: 1 1 8rem; }
#verdict .pictured dd b { font-size: 1.1rem; }
#verdict .primary { border-top: 5px solid var(--accent); }
#verdict .primary.good-edge { border-top-color: var(--good); }
#verdict .primary.bad-edge { border-top-color: var(--bad); }
"""

_CARD = """<article class="card primary {{ tone }}-edge" data-dataset="{{ dataset }}">
<div class="label">{{ question }}</div>
<div class="answer {{ tone }}">{{ answer }}</div>
<p class="sentence" data-verdict>{{ sentence }}</p>
{% for remark in remarks %}<p class="note">{{ remark }}</p>{% endfor %}
{{ chart }}
<dl class="facts">
{% for name, value, detail, picture in facts %}
<div{% if picture %} class="pictured"{% endif %}><dt class="label">{{ name }}</dt><dd>{{ picture }}
<div><b>{{ value }}</b><small>{{ detail }}</small></div></dd></div>
{% endfor %}
</dl>
{{ worth }}
</article>
"""
_WORTH = """{% if sentences %}<div class="worth"><div class="label">Worth in real photos</div>
<ul>{% for shots, sentence in sentences %}<li>At {{ shots }} shots: {{ sentence }}</li>
{% endfor %}</ul></div>{% endif %}"""
_SPLIT = """<article class="card">
<div class="label">And {{ where }}? (exploratory)</div>
<div class="answer small {{ tone }}">{{ answer }}</div>
<p data-verdict>{{ sentence }}</p>
{{ chart }}
{{ worth }}
</article>"""
_NOTHING = """<p>This experiment has one method, so there is nothing to compare. Name a second one in
<code>methods</code>
of the configuration, such as <code>standard: {}</code>, training on the real photos alone.</p>"""


@dataclass(frozen=True)
class Worst:
    """The synthetic image in which the guide classifier sees its class least."""

    name: str
    detail: str
    picture: Markup


def verdict(results: Results) -> Section:
    """The verdict on each dataset, from the primary comparison, and the same comparison on the other test photos."""
    cards = [
        part
        for number, (_, row) in enumerate(results.primary.iterrows())
        for part in (_primary(results, row, number), _splits(results, row, number))
    ]
    return Section("verdict", "Verdict", join(cards) if cards else fragment(_NOTHING), STYLE)


def _primary(results: Results, row: Record, number: int) -> Markup:
    answer, tone = ANSWERS[row["answer"]]
    method, baseline = label(row["method"]), label(row["baseline"])
    several = len(results.settings.datasets) > 1
    place = f" on {label(row['dataset'])}" if several else ""
    facts = [
        ("By how much", f"{points(row['estimate'])} points", f"accuracy of {method} minus {baseline}", ""),
        ("How sure", interval(row["low"], row["high"], signed=True), _sureness(results, row), ""),
    ]
    if best := _best_class(results, row):
        facts.append(("In which class most", *best, ""))
    if worst := _worst_image(results, str(row["dataset"])):
        facts.append(("The worst image", worst.name, worst.detail, worst.picture))
    remarks = [f"One {results.seed_noun}: {ONE_SEED}."] if row["seeds"] == 1 and ONE_SEED not in row["verdict"] else []
    if _draws_only(results, str(row["dataset"])):
        remarks.append(DRAWS_ONLY)
    return fragment(
        _CARD,
        dataset=row["dataset"],
        question=f"Does {method} help{place}, compared with {baseline}, {results.where(row['split'])}?",
        answer=answer,
        tone=tone,
        sentence=with_minus(row["verdict"]),
        remarks=remarks,
        chart=_interval_chart(f"verdict-chart-{number}", results, row, _reach(_same_question(results, row))),
        facts=facts,
        worth=_worth(results, row),
    )


def _draws_only(results: Results, dataset: str) -> bool:
    """Whether the images come from the demo's diffusion model, and the real photos are no drawings."""
    model, adapter = results.settings.models.get("diffusion"), results.settings.datasets[dataset]
    return model is not None and model.source.startswith("demo/") and adapter != "drawn_world"


def _sureness(results: Results, row: Record) -> str:
    seeds, images = count(int(row["seeds"]), results.seed_noun), count(int(row["images"]), results.image_noun)
    return f"points, 95 % interval; {seeds}, {images}"


def _same_question(results: Results, row: Record) -> Table:
    """The primary methods' comparisons over all classes and shots, one per split."""
    table = results.comparisons
    same = (table["method"] == row["method"]) & (table["baseline"] == row["baseline"]) & (table["class"] == "")
    return table[same & (table["dataset"] == row["dataset"]) & (table["shots"] == row["shots"])]


def _worth(results: Results, row: Record) -> Markup:
    """How many real photos the method is worth, at each number of shots, on the photos of `row`."""
    table = results.worth
    here = table[(table["dataset"] == row["dataset"]) & (table["split"] == row["split"])]
    here = here[(here["method"] == row["method"]) & (here["baseline"] == row["baseline"])]
    return fragment(
        _WORTH, sentences=[(each["shots"], with_minus(each["sentence"])) for each in here.to_dict("records")]
    )


def _splits(results: Results, primary: Record, number: int) -> Markup:
    rows = _same_question(results, primary)
    cards = [
        fragment(
            _SPLIT,
            where=results.where(row["split"]),
            answer=ANSWERS[row["answer"]][0],
            tone=ANSWERS[row["answer"]][1],
            sentence=with_minus(row["verdict"]),
            chart=_interval_chart(f"split-chart-{number}-{place}", results, row, _reach(rows)),
            worth=_worth(results, row),
        )
        for place, (_, row) in enumerate(rows.iterrows())
        if not row["primary"]
    ]
    return fragment('<div class="grid">{{ cards }}</div>', cards=join(cards)) if cards else Markup()


def _best_class(results: Results, row: Record) -> tuple[str, str] | None:
    table = results.comparisons
    of_classes = table[(table["class"] != "") & (table["shots"] == ALL_SHOTS) & (table["dataset"] == row["dataset"])]
    same = (of_classes["method"] == row["method"]) & (of_classes["baseline"] == row["baseline"])
    rows = of_classes[same & (of_classes["split"] == row["split"])].dropna(subset=["estimate"])
    if rows.empty:
        return None
    best = rows.loc[rows["estimate"].idxmax()]
    detail = f"{points(best['estimate'])} points, 95 % interval {interval(best['low'], best['high'], signed=True)}"
    return spaced(best["class"]), f"{detail}; one of {len(rows)} classes, so partly chance"


def _worst_image(results: Results, dataset: str) -> Worst | None:
    scored = min(results.scored_images(dataset), key=lambda each: (each.confidence, each.row.file_name), default=None)
    if scored is None:
        return None
    name = spaced(scored.row.class_name)
    picture = thumbnail(results.store / scored.row.file_name, f"the least recognizable image of {name}")
    return Worst(
        f"meant as {name}", f"a classifier of real photos is {rough(scored.confidence)} % sure of that", picture
    )


def _reach(rows: Table) -> float:
    """The half width of an axis around zero, in points, that shows all intervals."""
    ends = rows[["low", "high", "adjusted_low", "adjusted_high", "estimate"]].abs().max().max()
    return max(3.0, float(ceil(108 * ends)))


def _interval_chart(identifier: str, results: Results, row: Record, reach: float) -> Markup:
    """One interval in points, drawn against zero and the band of differences that do not matter."""
    values = {name: 100 * float(row[name]) for name in ("estimate", "low", "high")}
    adjusted = not row["primary"] and row["adjusted_low"] == row["adjusted_low"]  # NaN without an adjustment
    values |= {"thin_low": 100 * row["adjusted_low"], "thin_high": 100 * row["adjusted_high"]} if adjusted else {}
    color = COLORS[ANSWERS[row["answer"]][1]]
    data = records([{**values, "from": -MATTERS, "to": MATTERS, "zero": 0, "text": points(row["estimate"])}])
    axis = alt.Axis(grid=False, labelExpr=POINTS_LABEL, tickCount=6, ticks=True, domain=True)
    scale = alt.Scale(domain=[-reach, reach], nice=False)

    def x(field: str) -> Any:
        return alt.X(f"{field}:Q", scale=scale, axis=axis, title="difference in accuracy, percentage points")

    base = alt.Chart(data).encode(y=alt.value(34))
    chart = alt.layer(
        alt.Chart(data).mark_rect(fill=FAINT, opacity=0.16).encode(x=x("from"), x2="to:Q"),
        alt.Chart(data).mark_rule(stroke=INK, strokeWidth=1.5).encode(x=x("zero")),
        *(
            [base.mark_rule(stroke=color, strokeWidth=1.8).encode(x=x("thin_low"), x2="thin_high:Q")]
            if adjusted
            else []
        ),
        base.mark_rule(stroke=color, strokeWidth=5).encode(x=x("low"), x2="high:Q"),
        base.mark_point(fill=color, stroke=CARD, strokeWidth=2, size=240, opacity=1).encode(x=x("estimate")),
        base.mark_text(dy=-18, fontSize=14, fontWeight=700, fill=color).encode(x=x("estimate"), text="text:N"),
    ).properties(height=58)
    words = interval(row["low"], row["high"], signed=True)
    description = (
        f"Difference in accuracy between {label(row['method'])} and {label(row['baseline'])} "
        f"{results.where(row['split'])}: {points(row['estimate'])} points, 95 % interval {words}; "
        "zero is no difference, differences within 1 point do not matter."
    )
    line = "Line: 95 % interval."
    if adjusted:
        line = "Thick line: 95 % interval; thin line: adjusted for the number of comparisons."
    caption = f"{line} Zero: no difference. Gray band: differences of at most 1 point, which do not matter."
    return figure(identifier, chart, description, height=108, caption=caption)
