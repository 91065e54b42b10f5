"""What the experiment cost: time, memory and GPU hours of each stage, from the records of its jobs."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import altair as alt
from markupsafe import Markup

from diagen.files.benchmarks import read_benchmarks
from diagen.plurals import count
from diagen.report.page.charts import ACCENT, INK, figure, records
from diagen.report.page.tables import Cell, Column, Row, number, table
from diagen.report.page.templates import fragment, join
from diagen.report.results import Results
from diagen.report.section import Section

STAGES = {
    "draw_world": "Drawn photos",
    "index_dataset": "Photos",
    "draw_shots": "Photos",
    "audit_leakage": "Photos",
    "learn_embeddings": "Learned words",
    "write_prompts": "Prompts",
    "find_noise_ceilings": "Noise ceilings",
    "plan_generation": "Synthetic images",
    "generate_images": "Synthetic images",
    "train_guide_classifier": "Guide classifiers",
    "score_images": "Weights",
    "train_downstream": "Downstream classifiers",
    "fit_baselines": "Baselines on real photos",
    "extract_features": "Features",
    "extract_real_features": "Features",
    "measure_diversity": "Diversity",
    "measure_weighted_diversity": "Diversity",
}
"""The stage of each rule as the table shows it; others are the report's own and upkeep."""
OTHERS = "Tables and upkeep"

_INTRODUCTION = """<p>{{ hours }} of jobs in total{{ gpu }}, summed over {{ jobs }}. Jobs ran side by side, so the run
took
less time than that. The records are those of the last run of each job; images and words that came from the store cost
nothing again.</p>"""


@dataclass(frozen=True)
class Job:
    """A finished job: its rule, wall-clock seconds, peak resident memory in MB, and GPUs in use (shares count)."""

    rule: str
    seconds: float
    megabytes: float
    gpus: float


def cost(results: Results) -> Section | None:
    """A chart and a table of the stages; none without records."""
    jobs = list(read_jobs(results.folder / "benchmarks"))
    if not jobs:
        return None
    on_gpu = _used_gpu(results)
    stages: dict[str, list[Job]] = defaultdict(list)
    for job in jobs:
        stages[STAGES.get(job.rule, OTHERS)].append(job)
    order = [name for name in dict.fromkeys((*STAGES.values(), OTHERS)) if name in stages]
    hours = sum(job.seconds for job in jobs) / 3600
    gpu_hours = sum(job.seconds * job.gpus for job in jobs) / 3600
    introduction = fragment(
        _INTRODUCTION,
        hours=duration(3600 * hours),
        gpu=f", {gpu_hours:.2f} GPU hours" if on_gpu else ", without a GPU",
        jobs=count(len(jobs), "job"),
    )
    content = [introduction, _chart({name: stages[name] for name in order}), _table(stages, order, on_gpu)]
    return Section("cost", "Cost", join(content))


def read_jobs(benchmarks: Path) -> Iterator[Job]:
    """The jobs that Snakemake's records in the folder describe; records of another kind are skipped."""
    for record in read_benchmarks(benchmarks):
        try:
            resources = record["resources"]
            gpus = float(resources.get("shards", 1)) if resources.get("gpu", 0) else 0.0
            gpus /= float(resources.get("jobs_per_gpu", 1))
            yield Job(record["rule_name"], float(record["s"]), _number(record.get("max_rss")), gpus)
        except (ValueError, KeyError, TypeError):
            continue


def duration(seconds: float) -> str:
    """A time in the unit that suits it: `42 s`, `12 min`, `3.4 h`."""
    if seconds < 99.5:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 99.5 * 60 else f"{seconds / 3600:,.1f} h"


def _number(value: object) -> float:
    return float(value) if isinstance(value, (int, float)) else 0.0


def _used_gpu(results: Results) -> bool:
    """Whether a result was computed on another device than the CPU."""
    shares = (share for _, shares in results.records for share in shares)
    return any(not share["made_with"].get("device", "cpu").startswith("cpu") for share in shares)


def _chart(stages: dict[str, Sequence[Job]]) -> Markup:
    totals = {name: sum(job.seconds for job in jobs) for name, jobs in stages.items()}
    unit, noun = (3600, "hours") if max(totals.values()) > 7200 else (60, "minutes")
    values = [{"stage": name, "time": seconds / unit, "text": duration(seconds)} for name, seconds in totals.items()]
    longest = max(totals.values()) / unit
    base = alt.Chart(records(values)).encode(
        x=alt.X(
            "time:Q",
            title=noun,
            scale=alt.Scale(domain=[0, 1.18 * longest], nice=False),
            axis=alt.Axis(tickCount=6),
        ),
        y=alt.Y("stage:N", sort=None, title=None, axis=alt.Axis(labelColor=INK, labelLimit=170)),
    )
    chart = alt.layer(
        base.mark_bar(fill=ACCENT, cornerRadiusEnd=3), base.mark_text(align="left", dx=6).encode(text="text:N")
    ).properties(height=28 * len(values))
    most = max(totals, key=lambda name: totals[name])
    description = (
        f"Time of the jobs by stage. The longest stage is {most}, {duration(totals[most])}. The table holds all."
    )
    drawn = figure("cost-chart", chart, description, height=28 * len(values) + 50)
    return fragment('<div class="card">{{ drawn }}</div>', drawn=drawn)


def _table(stages: dict[str, list[Job]], order: Sequence[str], on_gpu: bool) -> Markup:
    columns = [
        Column("Stage", numeric=False),
        Column("Jobs"),
        Column("Time"),
        Column("Longest job"),
        Column("Peak memory, GB"),
    ]
    columns += [Column("GPU hours")] if on_gpu else []
    rows = []
    for name in order:
        jobs = stages[name]
        total, longest = sum(job.seconds for job in jobs), max(job.seconds for job in jobs)
        peak, gpu_hours = max(job.megabytes for job in jobs) / 1000, sum(job.seconds * job.gpus for job in jobs) / 3600
        cells = [
            Cell(name),
            number(len(jobs), f"{len(jobs):,}"),
            number(total, duration(total)),
            number(longest, duration(longest)),
            number(peak, f"{peak:.2f}"),
        ]
        rows.append(Row([*cells, number(gpu_hours, f"{gpu_hours:.2f}")] if on_gpu else cells))
    return table("cost-table", "Cost by stage", columns, rows)
