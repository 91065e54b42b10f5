"""The reasons of planned jobs are read from what Snakemake prints."""

from diagen.preflight.reasons import planned_jobs

BEFORE = "'" + "a" * 64 + '\', \'{"threshold":null,"backbone":{"path":"it\\\'s"}}\''
NOW = "'" + "b" * 64 + '\', \'{"threshold":0.5,"backbone":{"path":"new"}}\''
PARAMS = "Params have changed since last execution: Union of exclusive params before and now across all output:"
DRY_RUN = f"""Building DAG of jobs...
Job stats:
job              count
-------------  -------
score_images         1

[Thu Nov 26 12:00:00 2026]
rule score_images:
    input: results/x/manifest.csv
    output: results/x/weights/paper.csv
    reason: {PARAMS} before: {BEFORE} now: {NOW}
    wildcards: dataset=world, seed=0, shots=2, weighting=paper
    resources: tmpdir=/tmp

[Thu Nov 26 12:00:00 2026]
localrule summarize:
    reason: Missing output files: results/x/summary.csv; Input files updated by another job: results/x/weights/paper.csv
    resources: tmpdir=/tmp

[Thu Nov 26 12:00:00 2026]
rule draw_shots:
    reason: Something that a later version says
    wildcards: dataset=world

localrule all:
    reason: Input files updated by another job: results/x/summary.csv
"""


def test_each_job_with_its_reasons_in_words() -> None:
    first, second, third = planned_jobs(DRY_RUN)
    assert (first.rule, first.wildcards["seed"]) == ("score_images", "0")
    assert first.reasons == (
        "code: the modules that compute it have changed (docs/reruns.md)",
        "settings: threshold: null -> 0.5",
        'settings: backbone.path: "it\'s" -> "new"',
    )
    assert second.reasons == ("not made yet", "input: made again by another job: results/x/weights/paper.csv")
    assert third.reasons == ("Something that a later version says",), "what is unknown is shown as it comes"
    assert str(third) == "draw_shots (dataset=world)\n    Something that a later version says"


def test_nothing_planned() -> None:
    assert list(planned_jobs("Building DAG of jobs...\nNothing to be done (all requested files are present).\n")) == []
