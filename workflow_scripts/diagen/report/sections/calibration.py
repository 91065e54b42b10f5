"""Whether the confidences that weight images can be trusted: reliability of the guide classifiers."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import altair as alt
import numpy as np
from markupsafe import Markup

from diagen.files.json_files import FEW_ERRORS, Bin, BothReliabilities, ValidationFigures, read_calibration
from diagen.plurals import count
from diagen.report.labels import label
from diagen.report.page.charts import ACCENT, CARD, FAINT, LINE, figure, records
from diagen.report.page.tables import Cell, Column, Row, number, table
from diagen.report.page.templates import fragment, join
from diagen.report.results import Results
from diagen.report.section import Section

States = Literal["before", "after"]

_INTRODUCTION = """<p>Images are weighted by how sure a guide classifier is that they show their class, so its
confidence has
to mean something: of the predictions with 80 % confidence, 80 % should be right. Its logits are divided by a
temperature T,
fitted on validation photos: T above 1 makes it less sure, below 1 more sure, and the predicted classes stay the
same.</p>"""
_GUIDE = """<div class="card"><h3 style="margin-top: 0">{{ name }}</h3>
<p>{{ meaning }}</p>{% if warning %}<p class="note">{{ warning }}</p>{% endif %}{{ chart }}</div>"""


_UNCALIBRATED = """<p>{{ classifiers }} had no validation photo of each class: T is 1, and how far the
confidences can be trusted is unknown.</p>"""


@dataclass(frozen=True)
class Calibrated:
    """The content of a `calibration.json` with validation images."""

    temperature: float
    val: ValidationFigures
    reliability: BothReliabilities


def calibration(results: Results) -> Section | None:
    """Reliability of each guide classifier, pooled over its cells; none if no method weights images."""
    names = results.settings
    used = [names.weightings[each.weighting].guide_classifier for each in names.methods.values() if each.weighting]
    cards, rows, classifiers = [], [], 0
    for name in dict.fromkeys(used):
        files = [
            results.cell_folder(cell) / "guide_classifiers" / name / "calibration.json"
            for dataset in names.datasets
            for cell in results.cells(dataset)
        ]
        found = _calibrated(files)
        classifiers += len(files) - len(found)
        if found:
            cards.append(_guide(name, found))
            rows += [_row(name, found, state) for state in ("before", "after")]
    if not used:
        return None
    columns = [
        Column("Guide classifier", numeric=False),
        Column("Scaling", numeric=False),
        Column("Calibration error, %"),
        Column("Loss, nats"),
        Column("Temperature, mean (range)"),
        Column("Classifiers"),
    ]
    content = [fragment(_INTRODUCTION)]
    if classifiers:
        content.append(fragment(_UNCALIBRATED, classifiers=count(classifiers, "classifier")))
    if cards:
        content += [
            fragment('<div class="grid">{{ cards }}</div>', cards=join(cards)),
            table("calibration-table", "Means over the classifiers, on validation photos", columns, rows),
        ]
    return Section("calibration", "Calibration", join(content))


def _calibrated(files: Sequence[Path]) -> list[Calibrated]:
    """The contents of those `files` that have validation images."""
    contents = [read_calibration(file) for file in files]
    return [
        Calibrated(each["temperature"], val, reliability)
        for each in contents
        if (val := each["val"]) is not None and (reliability := each["reliability"]) is not None
    ]


def _row(name: str, found: Sequence[Calibrated], state: States) -> Row:
    temperatures = [each.temperature for each in found]
    values = [each.val for each in found]
    if state == "before":
        error, loss = (float(np.mean([each[key] for each in values])) for key in ("ece_before", "nll_before"))
    else:
        error, loss = (float(np.mean([each[key] for each in values])) for key in ("ece_after", "nll_after"))
    mean = float(np.mean(temperatures))
    spread = f"{mean:.2f} ({min(temperatures):.2f} to {max(temperatures):.2f})"
    return Row([
        Cell(label(name)),
        Cell(f"{state} scaling"),
        number(error, f"{100 * error:.1f}"),
        number(loss, f"{loss:.2f}"),
        number(mean, spread) if state == "after" else number(1, "1"),
        number(len(found), str(len(found))),
    ])  # fmt: skip


def _guide(name: str, found: Sequence[Calibrated]) -> Markup:
    before = float(np.mean([each.val["ece_before"] for each in found]))
    after = float(np.mean([each.val["ece_after"] for each in found]))
    temperature = float(np.mean([each.temperature for each in found]))
    was = (
        "too sure of itself" if temperature > 1.05 else "too unsure of itself" if temperature < 0.95 else "about right"
    )
    meaning = (
        f"Before scaling the classifier was {was} (mean T = {temperature:.2f}). Its confidence differs from the share "
        f"of right predictions by {100 * after:.1f} points on average, without scaling by {100 * before:.1f}."
    )
    few = sum(each.val["n_errors"] < FEW_ERRORS for each in found)
    warning = (
        f"{count(few, 'classifier')} of {len(found)} had fewer than {FEW_ERRORS} errors on validation photos, too few "
        "to determine a temperature."
        if few
        else ""
    )
    return fragment(_GUIDE, name=label(name), meaning=meaning, warning=warning, chart=_chart(name, found, after))


def _chart(name: str, found: Sequence[Calibrated], error: float) -> Markup:
    values = []
    states: tuple[tuple[States, str], ...] = (("before", "before scaling"), ("after", "after scaling"))
    for state, text in states:
        counts, confidence, accuracy = pool_bins([each.reliability[state] for each in found])
        values += [
            {"state": text, "confidence": 100 * x, "accuracy": 100 * y, "photos": int(n)}
            for n, x, y in zip(counts[counts > 0].tolist(), confidence.tolist(), accuracy.tolist(), strict=True)
        ]
    scale = alt.Scale(domain=[0, 100], nice=False)
    x = alt.X("confidence:Q", title="confidence, %", scale=scale, axis=alt.Axis(tickCount=5))
    y = alt.Y("accuracy:Q", title="right, %", scale=scale, axis=alt.Axis(tickCount=5))
    color = alt.Color(
        "state:N",
        scale=alt.Scale(domain=[text for _, text in states], range=[FAINT, ACCENT]),
        legend=alt.Legend(orient="top", title=None),
    )
    base = alt.Chart(records(values)).encode(x=x, y=y, color=color)
    ends = records([{"confidence": 0, "accuracy": 0}, {"confidence": 100, "accuracy": 100}])
    chart = alt.layer(
        alt.Chart(ends).mark_line(stroke=LINE, strokeDash=[5, 4], strokeWidth=2).encode(x=x, y=y),
        base.mark_line(strokeWidth=1.6),
        base.mark_point(filled=True, opacity=1, stroke=CARD).encode(
            size=alt.Size("photos:Q", scale=alt.Scale(range=[30, 320]), legend=None)
        ),
    ).properties(height=280)
    description = (
        f"Reliability of {label(name)}: share of right predictions over confidence, before and after scaling. Mean "
        f"calibration error after scaling {100 * error:.1f} %."
    )
    caption = "Dashed: a calibrated classifier. Larger markers stand for more validation photos."
    return figure(f"calibration-{name}", chart, description, height=340, caption=caption)


def pool_bins(tables: Sequence[list[Bin]]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pool reliability bins with the same edges.

    Returns the counts `[bins]`, and mean confidence and accuracy in [0, 1] of the non-empty bins `[non-empty bins]`.
    """
    counts = np.array([[each["count"] for each in bins] for bins in tables], dtype=np.float64)
    confidence = np.array([[each["confidence"] for each in bins] for bins in tables], dtype=np.float64)
    accuracy = np.array([[each["accuracy"] for each in bins] for bins in tables], dtype=np.float64)
    total = counts.sum(axis=0)
    filled = total > 0
    sums = [np.nansum(counts * values, axis=0)[filled] for values in (confidence, accuracy)]
    return total, sums[0] / total[filled], sums[1] / total[filled]
