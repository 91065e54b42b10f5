"""Snakemake's own report holds the summary tables with captions, links to the page, and opens without an error."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.browser import CHROMIUM, open_page

TABLES = ("comparisons", "worth", "means", "accuracy", "per_class", "diversity", "prompts")
SNAKEFILE = """
report: "{captions}/workflow.rst"
rule all:
    input:
        [report(f"{{name}}.csv", category="Summary", caption="{captions}/" + name + ".rst") for name in {names}],
    output:
        "done.txt",
    shell:
        "touch {{output}}"
"""


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine to open the report in")
def test_the_report_holds_every_caption_and_opens_without_console_errors(tmp_path: Path) -> None:
    for name in TABLES:
        (tmp_path / f"{name}.csv").write_text("dataset\nworld\n", encoding="utf-8")
    (tmp_path / "Snakefile").write_text(SNAKEFILE.format(captions=Path("report").resolve(), names=TABLES))
    snakemake = [sys.executable, "-m", "snakemake", "--cores", "1", "--config", "experiment=demo"]
    subprocess.run([*snakemake], cwd=tmp_path, check=True, capture_output=True)
    subprocess.run([*snakemake, "--report", "provenance.html"], cwd=tmp_path, check=True, capture_output=True)
    text = (tmp_path / "provenance.html").read_text(encoding="utf-8")
    assert not re.search(r"""<(script|link|img)[^>]+(src|href)=["']https?:""", text)
    for opening in ("Differences in accuracy", "The number of additional", "Mean accuracies", "Precision and recall"):
        assert opening in text
    assert "report.html" in text
    _, errors = open_page(tmp_path / "provenance.html", tmp_path / "profile")
    assert not errors
