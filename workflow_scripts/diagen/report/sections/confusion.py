"""What each class is mistaken for by the primary method."""

from collections import Counter
from collections.abc import Mapping, Sequence

import altair as alt
from markupsafe import Markup

from diagen.files.predictions_file import Prediction
from diagen.report.labels import label
from diagen.report.page.charts import ACCENT, BAD, CARD, INK, figure, records
from diagen.report.page.tables import Cell, Column, Row, number, table
from diagen.report.page.templates import fragment, join
from diagen.report.page.words import listed, percent, spaced
from diagen.report.results import Results

CONFUSIONS = 10  # rows of the table of errors
NUMBERED = 12  # classes up to which the matrix shows numbers
MOST_CLASSES = 40  # in the matrix; the squares of more are too small to read, and too many for a page

_CONFUSION = """<h3>What is taken for what</h3>
<p>Of the test photos of each class, the share that {{ method }} takes for each other class, over all {{ seed }}s and
numbers of photos.</p>
<div class="grid">{% for panel in panels %}<div class="card">{{ panel }}</div>{% endfor %}</div>
<div class="grid">{{ tables }}</div>"""


def confusions(results: Results, dataset: str) -> Markup:
    """A confusion matrix and a table of the most frequent errors for each kind of test photos."""
    guesses = results.guesses(dataset)
    splits = list(dict.fromkeys(each.split for each in guesses))
    panels, tables = [], []
    for split in splits:
        here = [each for each in guesses if each.split == split]
        panels.append(_matrix(f"confusion-{dataset}-{split}", here, split))
        tables.append(_largest(f"confusion-table-{dataset}-{split}", here, split))
    method = label(results.settings.primary or "")
    return fragment(_CONFUSION, panels=panels, tables=join(tables), method=method, seed=results.seed_noun)


def _shares(guesses: Sequence[Prediction]) -> dict[tuple[str, str], float]:
    """The share of each class's photos that is taken for each class."""
    totals = Counter(each.class_name for each in guesses)
    pairs = Counter((each.class_name, each.predicted) for each in guesses)
    return {pair: hits / totals[pair[0]] for pair, hits in pairs.items()}


def _matrix(identifier: str, guesses: Sequence[Prediction], split: str) -> Markup:
    shares = _shares(guesses)
    every = sorted({name for pair in shares for name in pair})
    names = _most_confused(shares, every)
    values = [
        {
            "class": spaced(one),
            "predicted": spaced(other),
            "share": 100 * shares.get((one, other), 0.0),
            "kind": "right" if one == other else "wrong",
            "text": f"{100 * shares[one, other]:.0f}" if (one, other) in shares else "",
            "strong": shares.get((one, other), 0.0) > 0.55,
        }
        for one in names
        for other in names
    ]
    # Without a domain, Vega would look names up in an object, which has a `constructor` and a `toString` of its own.
    scale = alt.Scale(domain=[spaced(name) for name in names])
    x = alt.X(
        "predicted:N", scale=scale, title="taken for", axis=alt.Axis(labelAngle=-45, labelLimit=90, labelOverlap=False)
    )
    y = alt.Y("class:N", scale=scale, title="class", axis=alt.Axis(labelLimit=90, labelOverlap=False))
    colors = alt.Scale(domain=["right", "wrong"], range=[ACCENT, BAD])
    base = alt.Chart(records(values)).encode(x=x, y=y)
    layers = [
        base.mark_rect(cornerRadius=2).encode(
            color=alt.Color("kind:N", scale=colors, legend=None),
            opacity=alt.Opacity("share:Q", scale=alt.Scale(domain=[0, 100], range=[0.04, 1]), legend=None),
            tooltip=[
                alt.Tooltip("class:N"),
                alt.Tooltip("predicted:N", title="taken for"),
                alt.Tooltip("share:Q", title="%", format=".1f"),
            ],
        )
    ]
    if len(names) <= NUMBERED:
        tone = alt.condition("datum.strong", alt.value(CARD), alt.value(INK))
        layers.append(base.mark_text(fontSize=11).encode(text="text:N", color=tone))
    size = max(240, min(560, 34 * len(names)))
    right = sum(each.class_name == each.predicted for each in guesses) / len(guesses)
    said = [f"{spaced(one)} for {spaced(other)} ({100 * share:.0f} %)" for (one, other), share in _errors(shares)[:3]]
    description = f"Confusion matrix on {label(split)}: {100 * right:.0f} % of the photos are right. "
    description += f"Most often taken for another class: {listed(said)}." if said else "No photo is wrong."
    caption = "Rows add up to 100 %; the diagonal is right."
    if len(names) < len(every):
        caption = f"The {len(names)} classes of {len(every)} that are confused most; the diagonal is right."
    drawn = alt.layer(*layers).properties(height=size)
    return figure(identifier, drawn, description, height=size + 90, title=label(split), caption=caption)


def _most_confused(shares: Mapping[tuple[str, str], float], names: Sequence[str]) -> list[str]:
    """At most `MOST_CLASSES` of the `names`, in their order: those in the largest confusions."""
    confused = [name for pair, _ in _errors(shares) for name in pair]
    kept = set(list(dict.fromkeys((*confused, *names)))[:MOST_CLASSES])
    return [name for name in names if name in kept]


def _errors(shares: Mapping[tuple[str, str], float]) -> list[tuple[tuple[str, str], float]]:
    """The confusions, the largest first."""
    wrong = [(pair, share) for pair, share in shares.items() if pair[0] != pair[1]]
    return sorted(wrong, key=lambda each: (-each[1], each[0]))


def _largest(identifier: str, guesses: Sequence[Prediction], split: str) -> Markup:
    errors = _errors(_shares(guesses))[:CONFUSIONS]
    columns = [Column("Class", numeric=False), Column("Taken for", numeric=False), Column("Share, %")]
    rows = [
        Row([Cell(spaced(one)), Cell(spaced(other)), number(share, percent(share))]) for (one, other), share in errors
    ]
    return table(identifier, f"{label(split)}: the most frequent errors", columns, rows) if rows else Markup()
