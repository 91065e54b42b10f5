"""The tables in LaTeX: well-formed, escaped, with the numbers of the summary; compiled where there is pdflatex."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from diagen.comparisons.tables_file import COMPARISONS, MEANS
from diagen.report.latex import accuracy_tex, comparisons_tex, diversity_tex, escaped
from diagen.report.summary_tables import DIVERSITY

PROGRAM = Path(__file__).parents[3] / "workflow_scripts/latex_tables.py"
METHODS = ("standard", "my_method_2", "diagen")


@pytest.fixture
def texts() -> dict[str, str]:
    means = [
        ("my_photos", split, shots, method, 0.5 + number / 10, 0.45, 0.999, 3, 120)
        for split in ("test", "test_uncommon")
        for shots in ("1", "4", "all")
        for number, method in enumerate(METHODS)
    ]
    differences = [
        dict.fromkeys(COMPARISONS, 0.0)
        | {"dataset": "my_photos", "split": "test", "shots": shots, "class": name, "method": method}
        | {"baseline": "standard", "estimate": -0.0321, "adjusted_low": -0.06, "adjusted_high": 0.0004}
        | {"adjusted_p": 0.0001, "primary": method == "diagen", "answer": "yes" if method == "diagen" else "unclear"}
        for shots in ("4", "all")
        for name in ("", "car_100%")
        for method in METHODS[1:]
    ]
    diversity = [
        ("my_photos", generator, seed, 4, 3, scope, 0.9, 0.1 * seed, 1.2, np.nan, 100, 50, weighting, "paper")
        for generator, weighting in (("diagen", ""), ("diagen", "per_class"))
        for seed in (1, 2, 3)
        for scope in ("pooled", "car")
    ]
    diversity.append(("my_photos", "real", np.nan, np.nan, 3, "pooled", 0.95, 0.94, 1, 0.9, 50, 50, "", "paper"))
    return {
        "accuracy": accuracy_tex(pd.DataFrame(means, columns=MEANS)),
        "comparisons": comparisons_tex(pd.DataFrame(differences, columns=COMPARISONS)),
        "diversity": diversity_tex(pd.DataFrame(diversity, columns=DIVERSITY)),
    }


@pytest.mark.parametrize("name", ["accuracy", "comparisons", "diversity"])
def test_syntax(texts, name):
    text = texts[name]
    for environment in ("table", "tabular"):
        assert text.count(rf"\begin{{{environment}}}") == text.count(rf"\end{{{environment}}}") > 0
    plain = re.sub(r"\\[{}&%$#_\\]", "", text)
    assert plain.count("{") == plain.count("}") and plain.count("$") % 2 == 0
    assert not re.search(r"[_#]", re.sub(r"(?m)^%.*$", "", plain)), "special characters are escaped"
    for table in text.split(r"\begin{tabular}")[1:]:
        columns = re.match(r"\{(l r*|lr*)\}", table)[1]
        rows = [line for line in table.splitlines() if line.endswith(r"\\")]
        assert len(rows) > 1
        assert {len(re.findall(r"(?<!\\)&", line)) for line in rows} == {len(columns) - 1}
        assert [table.count(rule) for rule in (r"\toprule", r"\midrule", r"\bottomrule")] == [1, 1, 1]


def test_numbers(texts):
    assert r"Method & 1 shot & 4 shots & all shots \\" in texts["accuracy"]
    assert texts["accuracy"].count(r"My method 2 & 60.0 {\scriptsize [45.0, 99.9]}") == 2
    assert r"DIAGen & \textbf{$-$3.2}$^\dagger$ {\scriptsize [$-$6.0, 0.0]}" in texts["comparisons"]
    assert r"My method 2 & $-$3.2 {\scriptsize [$-$6.0, 0.0]}" in texts["comparisons"]
    assert r"$<$0.001 \\" in texts["comparisons"] and "car" not in texts["comparisons"]
    assert r"DIAGen, weighted by Per class & 4 & 90.0 {\scriptsize [90.0, 90.0]}" in texts["diversity"]
    assert r"Real photos (ceiling) &  & 95.0 & 94.0 & 100.0 & 90.0 \\" in texts["diversity"]
    assert r"20.0 {\scriptsize [$-$4.8, 44.8]}" in texts["diversity"]  # t(2) = 4.30 times 10 / sqrt(3)


def test_special_characters():
    assert escaped(r"50% of a_b & {c} \ ~ ^ $ #") == (
        r"50\% of a\_b \& \{c\} \textbackslash{} \textasciitilde{} \textasciicircum{} \$ \#"
    )


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="needs pdflatex")
def test_it_compiles(texts, tmp_path):
    for name, text in texts.items():
        (tmp_path / f"{name}.tex").write_text(text, encoding="utf-8")
    inputs = "".join(rf"\input{{{name}.tex}}" for name in texts)
    document = rf"\documentclass{{article}}\usepackage{{booktabs}}\begin{{document}}{inputs}\end{{document}}"
    (tmp_path / "document.tex").write_text(document, encoding="utf-8")
    subprocess.run(["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "document.tex"], cwd=tmp_path, check=True)


def test_tables_that_lack_rows_are_damaged(tmp_path):
    rows = pd.DataFrame([("mine", "test", "2", name, 0.5, 0.4, 0.6, 3, 9) for name in METHODS], columns=MEANS)
    rows.to_csv(tmp_path / "means.csv", index=False)
    row = dict.fromkeys(COMPARISONS, 0.5) | {"dataset": "mine", "split": "test", "shots": "2", "class": ""}
    row |= {"method": "diagen", "baseline": "standard", "primary": False, "answer": "yes", "verdict": "Yes."}
    pd.DataFrame([row], columns=COMPARISONS).to_csv(tmp_path / "comparisons.csv", index=False)
    command = [sys.executable, PROGRAM, "--means", "means.csv", "--comparisons", "comparisons.csv", "--output", "."]
    result = subprocess.run(command, cwd=tmp_path, text=True, capture_output=True)
    assert result.returncode == 2 and "Traceback" not in result.stderr
    assert result.stderr.startswith("error: comparisons.csv: damaged (missing 'diagen'). Delete the file")
    assert not list(tmp_path.glob("*.tex"))
