"""What results were made with: models, versions of libraries, devices; and whether these are mixed."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from diagen.files.made_with import Share
from diagen.report.page.tables import Cell, Column, Row, table
from diagen.report.page.templates import fragment, join
from diagen.report.page.words import NONE
from diagen.report.results import Results
from diagen.report.section import Section

STAGES = {
    "features": "features",
    "prompts": "prompts",
    "embeddings": "learned words",
    "noise_ceilings": "noise ceilings",
    "guide_classifiers": "guide classifiers",
    "manifest": "synthetic images",
    "weights": "weights",
    "downstream": "downstream classifiers",
    "diversity": "diversity",
}
"""Display names of the kinds of results, in the order of the stages."""
MODELS = {
    "diffusion": "Diffusion model",
    "llama": "Language model",
    "features": "Feature extractor",
    "backbone": "Backbone of the classifiers",
}
PLANNED = (STAGES["embeddings"], "micro_batch")
"""The rows per pass follow from the number of classes of a cell, so they differ between datasets without a mixture."""

_BODY = """<p>Besides settings and code, these values affect how results round. A change of them reruns nothing, so an
experiment may contain results of different versions.</p>
{% if mixed %}
<p class="note">These results are mixed: {% for name, values in mixed %}{{ name }} {{ values | join(", ") }}{{
"; " if not loop.last }}{% endfor %}. Figures that compare them also compare these differences. To compute them again
with the same versions, delete the results that differ, or run with <code>--forceall</code>.</p>
{% else %}
<p>All results were made with the same versions on the same kind of device.</p>
{% endif %}"""


@dataclass(frozen=True)
class Record:
    """The number of `parts` (images, words, jobs) of a stage that were made with `values`."""

    stage: str
    parts: int
    values: dict[str, str]


def made_with(results: Results) -> Section:
    """The models, and the versions and devices of all results."""
    found = count_records(results.records)
    columns = [
        Column("Model", numeric=False),
        Column("Source", numeric=False),
        Column("SHA-256 of its weights", numeric=False),
    ]
    models = [
        Row([Cell(MODELS.get(name, name)), Cell(model.source), Cell(model.sha256 or NONE)])
        for name, model in results.settings.models.items()
    ]
    values = list(dict.fromkeys(name for record in found for name in record.values))
    rows = [
        Row(
            [
                Cell(each.stage),
                Cell(f"{each.parts:,}", each.parts),
                *(Cell(each.values.get(name, NONE)) for name in values),
            ]
        )
        for each in found
    ]
    stages = [
        Column("Stage", numeric=False),
        Column("Parts"),
        *(Column(_value_name(name), numeric=False) for name in values),
    ]
    content = [
        fragment(_BODY, mixed=mixed_values(found)),
        table("models-table", "Models", columns, models),
        table("made-with-table", "Versions and devices", stages, rows),
    ]
    return Section("made-with", "Made with", join(content))


def count_records(records: Iterable[tuple[str, list[Share]]]) -> list[Record]:
    """The parts by stage and values, in the order of the stages, from pairs of a kind in `STAGES` and its shares."""
    counts: Counter[tuple[str, tuple[tuple[str, str], ...]]] = Counter()
    for kind, shares in records:
        for share in shares:
            counts[kind, tuple(sorted(share["made_with"].items()))] += share["parts"]
    order = list(STAGES)
    return [
        Record(STAGES[kind], parts, dict(values))
        for (kind, values), parts in sorted(counts.items(), key=lambda item: (order.index(item[0][0]), item[0][1]))
    ]


def mixed_values(found: Iterable[Record]) -> list[tuple[str, list[str]]]:
    """Names with more than one value: versions and devices over all stages, how a stage ran within each."""
    values: dict[tuple[str, str], set[str]] = {}
    for record in found:
        for name, value in record.values.items():
            if (record.stage, name) == PLANNED:
                continue
            scope = record.stage if name in ("torch_threads", "micro_batch", "dtype", "compiled") else ""
            values.setdefault((scope, name), set()).add(value)
    return [
        (f"{_value_name(name)} of {scope}" if scope else _value_name(name), sorted(several))
        for (scope, name), several in values.items()
        if len(several) > 1
    ]


def _value_name(name: str) -> str:
    return {"torch_threads": "threads", "micro_batch": "micro-batch", "dtype": "precision"}.get(name, name)
