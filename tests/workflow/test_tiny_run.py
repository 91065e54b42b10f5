"""The whole workflow, on stand-ins, to its end: every file of the results layout, logs, benchmarks and the report."""

import csv
import hashlib
import json

CELL = "tiny/world/seed7/shots2"
METHODS = ("standard", "da_fusion", "diagen")
BASELINES = ("logistic_regression", "nearest_class_mean")
GENERATORS = ("da_fusion", "diagen")


RECORDED = (
    "tiny/world/features",
    "tiny/world/noise_ladder",
    "tiny/world/prompts/paper",
    f"{CELL}/embeddings/paper",
    f"{CELL}/guide_classifiers/paper/head",
    *(f"{CELL}/synthetic/{generator}/{name}" for generator in GENERATORS for name in ("manifest", "features")),
    f"{CELL}/synthetic/diagen/weights/paper",
    *(f"{CELL}/downstream/{method}/metrics" for method in (*METHODS, *BASELINES)),
    *(f"{CELL}/diversity/{generator}" for generator in GENERATORS),
    f"{CELL}/diversity/diagen/paper",
    "tiny/world/ceiling",
)
"""Results beside which it is recorded what they were made with."""


def expected_files() -> set[str]:
    """The results layout, spelled out."""
    return {
        "tiny/world/images.csv",
        "tiny/world/skipped.csv",
        "tiny/world/leakage.json",
        "tiny/world/features.npy",
        "tiny/world/ceiling.json",
        "tiny/world/noise_ladder.csv",
        "tiny/world/prompts/paper.csv",
        "tiny/world/prompts/paper.lines.csv",
        f"{CELL}/shots.csv",
        f"{CELL}/embeddings/paper.safetensors",
        *(f"{CELL}/guide_classifiers/paper/{name}" for name in ("head.safetensors", "calibration.json", "history.csv")),
        *(f"{CELL}/synthetic/{g}/{name}" for g in GENERATORS for name in ("plan.csv", "manifest.csv", "features.npy")),
        f"{CELL}/synthetic/diagen/weights/paper.csv",
        *(
            f"{CELL}/downstream/{method}/{name}"
            for method in METHODS
            for name in ("metrics.json", "history.csv", "predictions.csv", "head.safetensors")
        ),
        *(f"{CELL}/downstream/{name}/{file}" for name in BASELINES for file in ("metrics.json", "predictions.csv")),
        *(f"{CELL}/diversity/{generator}.json" for generator in GENERATORS),
        f"{CELL}/diversity/diagen/paper.json",
        *(f"tiny/summary/{name}.csv" for name in ("accuracy", "per_class", "diversity", "prompts")),
        *(f"tiny/summary/{name}.csv" for name in ("comparisons", "worth", "means")),
        "tiny/report.html",
        *(f"{result}.made_with.json" for result in RECORDED),
    }


def test_every_file_of_the_layout_is_there_and_no_other(finished):
    assert {name for name in finished.results() if name.startswith("tiny/")} == expected_files()


def test_nothing_is_left_to_do(finished):
    assert finished.plan() == set()


def test_every_job_has_a_log_and_a_benchmark_that_tells_how_it_ran(finished):
    results = finished.folder / "results/tiny"
    logs = {path.relative_to(results / "logs").with_suffix("") for path in (results / "logs").rglob("*.log")}
    benchmarks = {
        path.relative_to(results / "benchmarks").with_suffix("") for path in (results / "benchmarks").rglob("*.jsonl")
    }
    assert logs == benchmarks
    assert len(logs) == 27
    record = json.loads((results / "benchmarks/generate_images/world/seed7/shots2/diagen.jsonl").read_text())
    assert record["resources"]["micro_batch"] == 4
    assert record["max_rss"] > 0


def test_manifest_names_images_of_the_store(finished):
    store = finished.folder / "results/store"
    with open(finished.folder / f"results/{CELL}/synthetic/diagen/manifest.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 4 * 2 * 2
    for row in rows:
        assert hashlib.sha256((store / row["file_name"]).read_bytes()).hexdigest() == row["sha256"]


def test_summary_holds_each_method_and_split(finished):
    with open(finished.folder / "results/tiny/summary/accuracy.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert {(row["method"], row["split"]) for row in rows} == {
        (method, split) for method in (*METHODS, *BASELINES) for split in ("val", "test", "test_uncommon")
    }
    assert all(0 <= float(row["accuracy"]) <= 1 for row in rows)


def test_each_method_is_compared_with_the_baseline(finished):
    with open(finished.folder / "results/tiny/summary/comparisons.csv", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["class"] == ""]
    assert {(row["method"], row["split"], row["shots"]) for row in rows} == {
        (method, split, shots)
        for method in (*METHODS[1:], *BASELINES)
        for split in ("test", "test_uncommon")
        for shots in ("2", "all")
    }
    (primary,) = [row for row in rows if row["primary"] == "True"]
    assert (primary["method"], primary["baseline"], primary["split"]) == ("diagen", "standard", "test")
    assert "another draw may differ" in primary["verdict"]
    log = (finished.folder / "results/tiny/logs/write_report.log").read_text("utf-8")
    assert log.splitlines()[-2:] == [
        f"World: DIAGen against Standard augmentation: {primary['verdict']}",
        "The report: results/tiny/report.html",
    ]


def test_tables_in_latex_are_made_on_request(changeable):
    assert {str(job) for job in changeable.plan("latex_tables")} == {"latex_tables"}
    changeable.make("--cores", "1", "latex_tables")
    made = {path.name for path in (changeable.folder / "results/tiny/summary").glob("*.tex")}
    assert made == {"accuracy.tex", "comparisons.tex", "diversity.tex"}


def test_the_report_answers_and_links_to_its_provenance(changeable):
    page = (changeable.folder / "results/tiny/report.html").read_text("utf-8")
    assert "Does DIAGen help, compared with Standard augmentation, on test photos?" in page
    assert 'href="provenance.html"' in page
    changeable.make("--report", "results/tiny/provenance.html")
    assert "report.html" in (changeable.folder / "results/tiny/provenance.html").read_text("utf-8")
