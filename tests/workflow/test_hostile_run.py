"""A whole run on classes, files and folders whose names are shell commands, markup, templates and other scripts."""

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from diagen.data.names import class_label
from tests.browser import CHROMIUM, open_page
from tests.hostile import CLASSES
from tests.workflow.project import Project, copy_project

ROOT = 'it\'s "photos" $(touch pwned) `touch pwned`; {x} <b>'
FOLDER = 'config/it\'s "mine" $(touch pwned);'
TABLE = "-table `touch pwned`.csv"
FILES = (
    '-rf $(touch pwned) `touch pwned`; it\'s "q" {x} <img src=x onerror=alert(1)>.png',
    "line\nbreak\tand\x1b[2Jescape.png",
    "صورة 😀.png",
    "ü" * 100 + ".png",
    "plain.png",
)
CELL = "results/tiny/photos/seed7/shots2"


def lay_out(project: Project) -> None:
    """Photos of all classes, prompts and an instruction under names of that kind, and their configuration."""
    random = np.random.RandomState(0)
    for split, number in (("train-val", 5), ("test", 3), ("test_uncommon", 2)):
        for name in CLASSES:
            folder = project.folder / ROOT / split / name
            folder.mkdir(parents=True)
            for file in FILES[:number]:
                Image.fromarray(random.randint(0, 256, (40, 48, 3), dtype=np.uint8)).save(folder / file)
    (project.folder / FOLDER).mkdir()
    shutil.copy(project.folder / "config/instructions/paper.txt", project.folder / FOLDER / "a b.txt")
    with open(project.folder / TABLE, "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("class", "prompt"))
        writer.writerows(
            (name, f"a photo of a {class_label(name).replace('_', ' ')}, $(touch pwned)") for name in CLASSES
        )

    def change(config: dict) -> None:
        config["datasets"] = {"photos": {"adapter": "image_folder", "root": ROOT, "classes": list(CLASSES)}}
        config["prompts"] = {
            "paper": {"per_class": 2, "instruction": f"{FOLDER}/a b.txt", "max_tokens": 160},
            "mine": {"source": "table", "file": TABLE},
        }
        config["models"]["llama"]["context"] = 2048
        config["embeddings"]["paper"]["initializer"] = "{class_name} `touch pwned` {dataset}"
        plain = config["generators"]["da_fusion"]
        del plain["embedding"]
        plain |= {"prompts": "mine", "negative_prompt": "it's $(touch pwned) {dataset} <b>"}

    project.configure(change)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, stand_ins: Path) -> Project:
    """The finished run with its report and its exported datasets."""
    project = copy_project(tmp_path_factory.mktemp("hostile") / "project", stand_ins)
    lay_out(project)
    project.make("--cores", "2", "all", "export_dataset")
    project.make("--report", "results/tiny/provenance.html")
    return project


def rows(file: Path) -> list[dict[str, str]]:
    with open(file, encoding="utf-8", newline="") as table:
        return list(csv.DictReader(table))


@pytest.mark.slow
def test_every_name_arrives_as_it_is_and_nothing_of_it_runs(run: Project) -> None:
    assert not [path for path in run.folder.rglob("*") if path.name == "pwned"]
    labels = {class_label(name) for name in CLASSES}
    images = rows(run.folder / "results/tiny/photos/images.csv")
    assert {row["class"] for row in images} == labels and len(images) == 10 * len(CLASSES)
    assert {Path(row["path"]).name for row in images} == set(FILES)
    assert all((run.folder / row["path"]).is_file() for row in images)
    for table in (f"{CELL}/synthetic/diagen/manifest.csv", "results/tiny/summary/per_class.csv"):
        assert {row["class"] for row in rows(run.folder / table)} == labels
    exported = rows(run.folder / "results/tiny/export/photos/seed7/shots2/diagen/metadata.csv")
    assert {row["label"] for row in exported} == labels
    metrics = json.loads((run.folder / CELL / "downstream/diagen/metrics.json").read_text("utf-8"))
    assert metrics["splits"]["test"]["per_class"].keys() == labels
    assert run.plan() == set()


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine to open the report in")
def test_page_and_report_show_the_names_and_run_nothing_of_them(run: Project, tmp_path: Path) -> None:
    page = run.folder / "results/tiny/report.html"
    document, errors = open_page(page, tmp_path / "page")
    assert not errors
    assert "&lt;script&gt;alert(1)&lt;" in document and "&lt;img src=x onerror=alert(1)&gt;" in document
    assert "<script>alert" not in document and "<img src=x" not in document
    _, errors = open_page(run.folder / "results/tiny/provenance.html", tmp_path / "report")
    assert not errors
