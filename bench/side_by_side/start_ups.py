"""Times that no reference loop has: imports of programs, and Snakemake's planning of the paper's experiments."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import yaml

from bench.side_by_side.material import Workplace
from bench.side_by_side.measure import Times

ROOT = Path(__file__).resolve().parents[2]
PARTS = ("Snakefile", "rules", "profiles", "envs", "config", "report", "demo/world", "workflow_scripts")
PAPER = "config/paper.yaml"
IMPORTS = {
    "learn_embeddings": "diagen.embeddings.word_groups",
    "generate_images": "diagen.generation.fill",
    "train_downstream": "diagen.downstream.training",
    "verify_results": "diagen.store.verification",
}
"""The module of the library that a program calls, with all that this imports."""


def measure(place: Workplace, repeats: int) -> list[Times]:
    """Time imports, and the planning of `config/paper.yaml` (unless `small`) without any results."""
    times = []
    for program, module in IMPORTS.items():
        command = [sys.executable, "-c", f"import {module}"]
        times.append(Times(f"imports of {program}", _seconds(command, ROOT, repeats)))
    if place.small:
        return times
    folder = copy_project(place.new_folder())
    plan = [sys.executable, "-m", "snakemake", "--configfile", PAPER, "--dry-run"]
    times.append(Times(f"fresh dry run of {PAPER}", _seconds(plan, folder, repeats)))
    return times


def copy_project(folder: Path) -> Path:
    """Copy the workflow, and create the datasets' folders, which the configuration requires."""
    for part in PARTS:
        if (ROOT / part).is_dir():
            shutil.copytree(ROOT / part, folder / part, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / part, folder / part)
    for dataset in yaml.safe_load((folder / PAPER).read_text("utf-8"))["datasets"].values():
        (folder / dataset["root"]).mkdir(parents=True)
    return folder


def _seconds(command: Sequence[str], folder: Path, repeats: int) -> tuple[float, ...]:
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        _run(command, folder)
        seconds.append(time.perf_counter() - start)
    return tuple(seconds)


def _run(command: Sequence[str], folder: Path) -> str:
    """Run a command in `folder`, and return its output. Raises `RuntimeError` with the output if it fails."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "workflow_scripts")}
    found = subprocess.run(
        command, cwd=folder, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    if found.returncode:
        raise RuntimeError(f"{' '.join(command)} failed:\n{found.stdout[-2000:]}")
    return found.stdout
