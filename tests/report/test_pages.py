"""The report's pages and the report itself in a headless Chromium: they open without a console error."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from diagen.report.diversity_page import diversity_page
from diagen.report.figures import plot_accuracy, save_figure
from diagen.report.statistics import ACCURACY, DIVERSITY
from tests.browser import CHROMIUM, open_page

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine to open the report in")

SNAKEFILE = """
report: "{captions}/workflow.rst"
rule all:
    input:
        report("accuracy.svg", category="1 Accuracy", caption="{captions}/accuracy.rst"),
        report("ablation.svg", category="1 Accuracy", caption="{captions}/ablation.rst"),
        report("diversity.html", category="2 Diversity", caption="{captions}/diversity.rst"),
        report("gallery.html", category="3 Gallery", caption="{captions}/gallery.rst"),
        report("calibration.svg", category="4 Weights", caption="{captions}/calibration.rst"),
    output:
        "done.txt",
    shell:
        "touch {{output}}"
"""


@pytest.fixture(scope="module")
def pages(tmp_path_factory) -> Path:
    """A folder with a figure and a page of each kind, from a table of two runs."""
    folder = tmp_path_factory.mktemp("pages")
    accuracy = [("world", "diagen", 0, shots, "test", 0.5, 10) for shots in (2, 4)]
    save_figure(plot_accuracy(pd.DataFrame(accuracy, columns=ACCURACY)), folder / "accuracy.svg")
    diversity = [
        ("world", "diagen", 0, shots, 3, "pooled", 0.9, 0.4, 1.1, 0.5, 90, 60, "", "paper") for shots in (2, 4)
    ]
    page = diversity_page(pd.DataFrame(diversity, columns=DIVERSITY))
    (folder / "diversity.html").write_text(page, encoding="utf-8")
    for name, source in (("ablation.svg", "accuracy.svg"), ("calibration.svg", "accuracy.svg")):
        shutil.copy(folder / source, folder / name)
    shutil.copy(folder / "diversity.html", folder / "gallery.html")
    return folder


def test_a_page_opens_without_console_errors(pages, tmp_path):
    document, errors = open_page(pages / "diversity.html", tmp_path)
    assert not errors and "Measured: world" in document


@pytest.mark.slow
def test_the_report_holds_every_caption_and_opens_without_console_errors(pages, tmp_path):
    captions = Path("report").resolve()
    (pages / "Snakefile").write_text(SNAKEFILE.format(captions=captions))
    snakemake = [sys.executable, "-m", "snakemake", "--cores", "1", "--config", "experiment=demo"]
    subprocess.run([*snakemake], cwd=pages, check=True, capture_output=True)
    subprocess.run([*snakemake, "--report", "report.html"], cwd=pages, check=True, capture_output=True)
    text = (pages / "report.html").read_text(encoding="utf-8")
    assert not re.search(r"""<(script|link|img)[^>]+(src|href)=["']https?:""", text)
    for opening in (
        "Accuracy of the downstream",
        "Accuracy of each method",
        "Reliability of",
        "Precision and recall",
        "A guide",
    ):
        assert opening in text
    document, errors = open_page(pages / "report.html", tmp_path)
    assert not errors
    assert "1 Accuracy" in document and "4 Weights" in document
