"""Few photos and no test set: the whole workflow on folds, and every photo followed through what learned from it."""

import csv
import json
import shutil
import subprocess
import sys
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.workflow.project import Project, copy_project

SIZES = {"car": 5, "pine_tree": 5, "sail_boat": 4, "star": 3}
FOLDS, REPEAT, CAP = 3, 7, 8
SEEDS = [REPEAT * FOLDS + fold for fold in range(FOLDS)]
METHODS = ("standard", "diagen")
COMPARED = (*METHODS, "logistic_regression", "nearest_class_mean")
DATASET = "results/tiny/photos"


def photos(folder: Path) -> None:
    """Noise as photos, of unequal classes; the last car is a copy of the first."""
    random = np.random.RandomState(0)
    for name, size in SIZES.items():
        (folder / name).mkdir(parents=True)
        for number in range(size):
            Image.fromarray(random.randint(0, 256, (40, 36, 3), dtype=np.uint8)).save(folder / name / f"{number}.png")
    shutil.copy(folder / "car" / "0.png", folder / "car" / "4.png")


def without_test_set(values: dict[str, Any]) -> None:
    """Folds over all photos, with as many shots as each class has, and the last epochs."""
    values["datasets"] = {"photos": {"adapter": "image_folder", "root": "photos", "test": "none"}}
    values |= {"seeds": [REPEAT], "shots": "all", "guide_pool": CAP, "evaluation": {"folds": FOLDS}}
    values["guide_classifiers"]["paper"]["selection"] = values["downstream"]["selection"] = "last"
    values["methods"] = {name: values["methods"][name] for name in METHODS}


@pytest.fixture(scope="module")
def folded(tmp_path_factory: pytest.TempPathFactory, stand_ins: Path) -> Project:
    """The tiny workflow on folds of a few photos, run until the summary. Tests leave it as it is."""
    project = copy_project(tmp_path_factory.mktemp("folded") / "project", stand_ins)
    photos(project.folder / "photos")
    project.configure(without_test_set)
    project.make("--cores", "2", "summarize", f"{DATASET}/leakage.json", export_of(SEEDS[0]))
    return project


def export_of(seed: int) -> str:
    return f"results/tiny/export/photos/seed{seed}/shots{CAP}/diagen/metadata.csv"


def cell(project: Project, seed: int) -> Path:
    return project.folder / DATASET / f"seed{seed}" / f"shots{CAP}"


def table(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def hashes(rows: list[dict[str, str]], *roles: str) -> set[str]:
    return {row["sha256"] for row in rows if row["role"] in roles}


def test_every_photo_is_tested_once_and_the_summary_pools_the_folds(folded: Project) -> None:
    right: dict[tuple[str, str], list[bool]] = defaultdict(list)
    for seed in SEEDS:
        for method in COMPARED:
            rows = table(cell(folded, seed) / "downstream" / method / "predictions.csv")
            tests = [row["path"] for row in table(cell(folded, seed) / "shots.csv") if row["role"] == "test"]
            assert [row["path"] for row in rows] == tests and {row["split"] for row in rows} == {"test"}
            for row in rows:
                right[method, row["class"]].append(row["class"] == row["predicted"])
    assert {key: len(found) for key, found in right.items()} == {
        (method, name): size for method in COMPARED for name, size in SIZES.items()
    }
    means = {key: sum(found) / len(found) for key, found in right.items()}
    summary = folded.folder / "results/tiny/summary"
    by_class = table(summary / "per_class.csv")
    assert {(row["method"], row["class"]): float(row["accuracy"]) for row in by_class} == pytest.approx(means)
    rows = table(summary / "accuracy.csv")
    assert [(row["method"], row["seed"], row["split"], row["n_images"]) for row in rows] == [
        (method, str(REPEAT), "test", str(sum(SIZES.values()))) for method in COMPARED
    ]
    for row in rows:
        assert float(row["accuracy"]) == pytest.approx(np.mean([means[row["method"], name] for name in SIZES]))
    diversity = table(summary / "diversity.csv")
    assert {row["seed"] for row in diversity if row["generator"] != "real"} == {str(REPEAT)}
    assert {row["seed"] for row in diversity if row["generator"] == "real"} <= {""}
    keys = ("generator", "scope", "k", "weighting", "variant")
    assert len({tuple(row[name] for name in keys) for row in diversity}) == len(diversity)


def test_no_photo_is_tested_by_what_saw_it(folded: Project) -> None:
    """The tables: guide images of words and classifiers, of every synthetic image, and images that cells share."""
    users = defaultdict(list)
    for seed in SEEDS:
        rows = table(cell(folded, seed) / "shots.csv")
        tested, guides = hashes(rows, "test"), hashes(rows, "guide")
        assert tested and guides and not tested & guides
        assert not hashes(rows, "val"), "the last epoch needs none"
        plan = table(cell(folded, seed) / "synthetic/diagen/plan.csv")
        assert {row["guide_sha256"] for row in plan} == guides
        manifest = table(cell(folded, seed) / "synthetic/diagen/manifest.csv")
        assert len(manifest) == len(plan)
        for image, planned in zip(manifest, plan, strict=True):
            assert [image[name] for name in ("class", "guide", "number")] == [
                planned[name] for name in ("class", "guide", "number")
            ]
            users[image["file_name"]].append((planned["guide_sha256"], tested))
        weights = table(cell(folded, seed) / "synthetic/diagen/weights/paper.csv")
        assert [row["file_name"] for row in weights] == [row["file_name"] for row in manifest]
    for found in users.values():
        seen = {guide for guide, _ in found}
        assert len(seen) == 1 and not any(seen & tested for _, tested in found)


def test_what_a_cell_learns_does_not_depend_on_the_photos_that_it_tests(folded: Project, tmp_path: Path) -> None:
    """Words, guide classifier, images, weights and heads are the same bytes without these photos and another fold's
    results."""
    subprocess.run(["cp", "-a", str(folded.folder), str(tmp_path / "project")], check=True)
    project, seed = Project(tmp_path / "project"), SEEDS[1]
    folder = cell(project, seed)
    shots = table(folder / "shots.csv")
    learned = [
        "embeddings/paper.safetensors",
        "guide_classifiers/paper/head.safetensors",
        "synthetic/diagen/manifest.csv",
        "synthetic/diagen/weights/paper.csv",
    ]
    heads = {f"downstream/{method}/head.safetensors": method for method in METHODS}
    before = {name: (folder / name).read_bytes() for name in (*learned, *heads)}
    for row in shots:
        if row["role"] == "test":
            (project.folder / row["path"]).unlink()
    shutil.rmtree(project.folder / "results/store")
    for other in SEEDS:
        for found in cell(project, other).iterdir():
            if found.name != "shots.csv":
                shutil.rmtree(found)
    targets = [f"{DATASET}/seed{seed}/shots{CAP}/{name}" for name in learned]
    project.make("--cores", "2", *targets)
    assert {name: (folder / name).read_bytes() for name in learned} == {name: before[name] for name in learned}

    untested = folder / "untested.csv"
    with untested.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, shots[0].keys(), lineterminator="\n")
        writer.writeheader()
        writer.writerows(row for row in shots if row["role"] != "test")
    for head, method in heads.items():
        train(project, untested, seed, method)
        assert (folder / head).read_bytes() == before[head]


def train(project: Project, shots: Path, seed: int, method: str) -> None:
    """Train a method by its program, with the settings of the workflow."""
    planned = project.snakemake(
        "--dry-run", "--printshellcmds", "--force", f"{DATASET}/seed{seed}/shots{CAP}/downstream/{method}/metrics.json"
    ).stdout
    (command,) = (line for line in planned.splitlines() if "train_downstream.py" in line)
    command = (
        command.removeprefix("Shell command: ")
        .split("2>&1")[0]
        .replace(f"{DATASET}/seed{seed}/shots{CAP}/shots.csv", str(shots))
    )
    environment = {"DIAGEN": str(project.folder), "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin"}
    result = subprocess.run(command, shell=True, cwd=project.folder, env=environment, text=True, capture_output=True)
    assert result.returncode == 0, result.stderr


def test_unequal_classes_give_all_they_have_and_are_drawn_equally(folded: Project) -> None:
    for seed in SEEDS:
        rows = table(cell(folded, seed) / "shots.csv")
        counts = Counter(row["class"] for row in rows if row["role"] == "guide")
        tested = Counter(row["class"] for row in rows if row["role"] == "test")
        assert {name: counts[name] + tested[name] for name in SIZES} == SIZES and len(set(counts.values())) > 1
        per_guide = Counter(
            (row["class"], row["guide"]) for row in table(cell(folded, seed) / "synthetic/diagen/plan.csv")
        )
        assert set(per_guide.values()) == {2} and len(per_guide) == counts.total()
    real, synthetic = Counter(), Counter()
    counts = Counter(row["class"] for row in table(cell(folded, SEEDS[0]) / "shots.csv") if row["role"] == "guide")
    for row in table(folded.folder / export_of(SEEDS[0])):
        if row["synthetic"] == "False" or row["synthetic"] == "false":
            assert float(row["probability"]) == pytest.approx(0.3 / (len(SIZES) * counts[row["label"]]))
            real[row["label"]] += float(row["probability"])
        else:
            synthetic[row["source_guide"]] += float(row["probability"])
    assert dict(real) == pytest.approx(dict.fromkeys(SIZES, 0.3 / len(SIZES)))
    assert sum(synthetic.values()) == pytest.approx(0.7) and len(synthetic) == counts.total()


def test_without_validation_images_the_temperature_is_1_and_the_history_says_so(folded: Project) -> None:
    for seed in SEEDS:
        folder = cell(folded, seed)
        calibration = json.loads((folder / "guide_classifiers/paper/calibration.json").read_text("utf-8"))
        assert (calibration["temperature"], calibration["val"], calibration["reliability"]) == (1.0, None, None)
        log = folded.folder / f"results/tiny/logs/train_guide_classifier/photos/seed{seed}/shots{CAP}/paper.log"
        assert "no photo of some class validates: the temperature stays 1" in log.read_text("utf-8")
        for history in (folder / "guide_classifiers/paper/history.csv", folder / "downstream/diagen/history.csv"):
            rows = table(history)
            assert len(rows) == 2 and all(row["val_loss"] == row["val_accuracy"] == "" for row in rows)
            assert all(float(row["train_loss"]) > 0 for row in rows)


def test_the_audit_finds_no_duplicate_between_what_is_learned_from_and_tested(folded: Project) -> None:
    leaks = json.loads((folded.folder / DATASET / "leakage.json").read_text("utf-8"))["leaks"]
    assert [(leak["seed"], leak["earlier"], leak["later"], leak["exact"]) for leak in leaks] == [
        (seed, "guide", "test", 0) for seed in SEEDS
    ]


def test_nothing_of_a_finished_run_counts_as_damaged(folded: Project) -> None:
    folded.make("--cores", "1", "verify_results")


def test_nothing_to_test_on_is_an_error_of_the_run_but_not_of_an_export(fresh: Project) -> None:
    photos(fresh.folder / "photos")
    fresh.configure(without_test_set)
    fresh.configure(lambda values: values.pop("evaluation"))
    result = fresh.snakemake("--dry-run")
    assert result.returncode != 0 and "Traceback" not in result.stdout
    assert "`datasets.photos`: `test: none` leaves nothing to test methods on" in result.stdout
    jobs = fresh.plan("export_dataset")
    assert {str(job) for job in jobs if job.rule == "export_cell"} == {"export_cell diagen"}
    assert not any(job.rule == "train_downstream" for job in jobs)
