"""`make experiment` and `make images`: from a folder of photos to a configuration that runs."""

import csv
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

from tests.workflow.project import ROOT, Job, Project

PHOTOS = 'it\'s "photos" $(touch pwned) `touch pwned`; ü #1'
CLASSES = ("car", 'o\'brien: "tree" #2', "étoile $(touch pwned)")
CONFIG = "config/it_s_photos_touch_pwned_touch_pwned_u_1.yaml"


@pytest.fixture
def project(fresh: Project) -> Project:
    """A project with its Makefile, the demo's models, and five photos per class."""
    (fresh.folder / "docs").mkdir()
    for file in ("Makefile", "requirements.txt", "docs/requirements.txt"):
        shutil.copy(ROOT / file, fresh.folder / file)
    (fresh.folder / "demo/models").symlink_to(ROOT / "demo/models")
    random = np.random.RandomState(0)
    for name in CLASSES:
        (fresh.folder / PHOTOS / name).mkdir(parents=True)
        for number in range(5):
            pixels = random.randint(0, 256, (40, 48, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(fresh.folder / PHOTOS / name / f"{number} a.png")
    (fresh.folder / PHOTOS / CLASSES[0] / "notes.txt").write_text("no image")
    return fresh


def make(project: Project, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run make with the interpreter of the tests as the installed one, on a machine without a GPU."""
    installed = (f"BIN={Path(sys.executable).parent}", "READY=Makefile")
    outside = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}  # not of a make around
    environment = {**outside, "CUDA_VISIBLE_DEVICES": ""}
    return subprocess.run(
        ["make", *arguments, *installed],
        cwd=project.folder,
        env=environment,
        text=True,
        capture_output=True,
        check=False,
    )


def test_a_folder_of_photos_becomes_an_experiment(project: Project) -> None:
    result = make(project, "experiment", f"PHOTOS={PHOTOS}")
    assert result.returncode == 0, result.stderr
    assert f"Wrote    {CONFIG}" in result.stdout and "3 classes, 5 photos each, 15 in all" in result.stdout
    assert "notes.txt" in result.stdout and "KNOW DRAWINGS ONLY" in result.stdout
    run = f".venv/bin/snakemake --cores all --configfile {CONFIG}\n"
    assert run in result.stdout and result.stdout.endswith(f"results/{Path(CONFIG).stem}/report.html\n")
    values = yaml.safe_load((project.folder / CONFIG).read_text("utf-8"))
    assert values["datasets"][Path(CONFIG).stem]["root"] == PHOTOS
    plan = project.plan("--configfile", CONFIG)
    assert len({job.cell for job in plan if job.rule == "train_downstream"}) == 3 * 5
    assert Job("train_downstream", ("seed14", "shots4"), "diagen") in plan
    assert not (project.folder / "pwned").exists()

    (project.folder / CONFIG).write_text((project.folder / CONFIG).read_text("utf-8") + "# mine\n", "utf-8")
    again = make(project, "experiment", f"PHOTOS={PHOTOS}")
    assert again.returncode != 0 and f"{CONFIG}: exists. Run it, replace it by adding OVERWRITE=1" in again.stderr
    assert (project.folder / CONFIG).read_text("utf-8").endswith("# mine\n")
    assert make(project, "experiment", f"PHOTOS={PHOTOS}", "OVERWRITE=1").returncode == 0
    assert not (project.folder / CONFIG).read_text("utf-8").endswith("# mine\n")
    other = make(project, "experiment", f"PHOTOS={PHOTOS}", "NAME=tiny", "OVERWRITE=1")
    assert "config/tiny.yaml: exists and is not a configuration of `make experiment`" in other.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "no folder of photos is named; name one: make experiment PHOTOS=~/photos"),
        (("PHOTOS=none",), "none: no such folder"),
        (("PHOTOS=Makefile",), "Makefile: a file, not a folder"),
        (("PHOTOS=-rf",), "-rf: no such folder"),
        ((f"PHOTOS={PHOTOS}", "NAME=a b"), "NAME='a b': a name has letters, digits and underscores"),
        ((f"PHOTOS={PHOTOS}/{CLASSES[0]}",), "photos, but no class folders; move the photos"),
    ],
)
def test_mistakes_come_with_a_remedy_and_write_nothing(
    project: Project, arguments: tuple[str, ...], message: str
) -> None:
    before = sorted((project.folder / "config").iterdir())
    result = make(project, "experiment", *arguments)
    assert result.returncode != 0 and message in result.stderr and "Traceback" not in result.stderr
    assert len([line for line in result.stderr.splitlines() if not line.startswith("make")]) == 1
    assert sorted((project.folder / "config").iterdir()) == before


@pytest.mark.slow
def test_a_folder_of_photos_becomes_a_folder_of_images(project: Project) -> None:
    """On stand-ins, with few steps: the written configuration is edited, and kept by the command that runs it."""
    written = "config/pets_images.yaml"
    write = [sys.executable, "workflow_scripts/write_experiment.py", "--images-only", "--name", "pets_images", PHOTOS]
    subprocess.run(write, cwd=project.folder, check=True, capture_output=True)
    values = yaml.safe_load((project.folder / written).read_text("utf-8"))
    tiny = yaml.safe_load((project.folder / "config/tiny.yaml").read_text("utf-8"))
    values |= {key: tiny[key] for key in ("models", "embeddings", "downstream", "execution")}
    values["prompts"]["paper"]["per_class"] = 2
    values["generators"]["diagen"] |= {"images_per_guide": 2, "inference_steps": 6}
    values["guide_classifiers"]["paper"] |= {"epochs": 2, "iterations": 2, "batch": 4}
    head = (project.folder / written).read_text("utf-8").split("experiment:")[0]
    (project.folder / written).write_text(head + yaml.safe_dump(values), "utf-8")

    result = make(project, "images", f"PHOTOS={PHOTOS}", "NAME=pets_images")
    assert result.returncode == 0, result.stdout + result.stderr
    folder = Path(result.stdout.splitlines()[-1])
    assert folder == project.folder / "results/pets_images/export/pets_images/seed0/shots5/diagen"
    with open(folder / "metadata.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    synthetic = [row for row in rows if row["synthetic"] == "True"]
    assert len(rows) == 3 * 5 * (1 + 2) and len(synthetic) == 3 * 5 * 2
    assert {row["label"] for row in rows} == {name.replace(" ", "_") for name in CLASSES}
    assert all((folder / row["file_name"]).is_file() for row in rows)
    assert sum(float(row["weight"]) for row in synthetic) == pytest.approx(15)
    assert not (project.folder / "pwned").exists()
    assert not list((project.folder / "results/pets_images").rglob("downstream"))


@pytest.mark.slow
def test_the_example_of_images_alone_is_planned_without_an_experiment(project: Project) -> None:
    shutil.move(project.folder / PHOTOS, project.folder / "photos")
    (project.folder / "photos" / CLASSES[0] / "notes.txt").unlink()
    jobs = {job.rule for job in project.plan("export_dataset", "--configfile", "config/images_only.yaml")}
    assert {"learn_embeddings", "generate_images", "score_images", "export_cell"} <= jobs
    assert not jobs & {"train_downstream", "extract_features", "summarize"}
    result = project.snakemake("--dry-run", "--configfile", "config/images_only.yaml")
    assert result.returncode != 0 and "snakemake export_dataset --cores all --configfile" in result.stdout
