"""A copy of the project in a folder of its own, with stand-ins for models, as workflow tests run and change it."""

import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
PARTS = ("Snakefile", "rules", "profiles", "envs", "config", "report", "demo", "workflow_scripts")
CONFIG = "config/tiny.yaml"
JOB = re.compile(r"^(?:local)?rule (\w+):\n((?:    .*\n)*)", re.MULTILINE)
COST = re.compile(rb'<section id="cost".*?</section>', re.DOTALL)
SHARING = {
    "train_guide_classifier",
    "score_images",
    "train_downstream",
    "fit_baselines",
    "extract_features",
    "extract_real_features",
}
"""The rules whose jobs may share a GPU."""
WILDCARDS = re.compile(r"^    wildcards: (.*)$", re.MULTILINE)


@dataclass(frozen=True)
class Job:
    """A planned job: its rule, its cell (empty where it has none) and the block that it is for, such as a method."""

    rule: str
    cell: tuple[str, ...]
    block: str

    def __str__(self) -> str:
        return f"{self.rule} {self.block}".rstrip()


@dataclass(frozen=True)
class Project:
    """A copy of the project, complete enough to run the workflow in it."""

    folder: Path

    def snakemake(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run Snakemake with the tiny configuration; its messages are the result's `stdout`."""
        command = [sys.executable, "-m", "snakemake", "--configfile", CONFIG, *arguments]
        streams = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
        return subprocess.run(command, cwd=self.folder, text=True, **streams)

    def make(self, *arguments: str) -> None:
        """Run the workflow; fails with its messages."""
        result = self.snakemake(*arguments)
        assert result.returncode == 0, result.stdout

    def plan(self, *arguments: str) -> set[Job]:
        """The jobs that Snakemake would run, without the target `all`."""
        result = self.snakemake("--dry-run", *arguments)
        assert result.returncode == 0, result.stdout
        jobs = set()
        for rule, lines in JOB.findall(result.stdout):
            found = WILDCARDS.search(lines)
            wildcards = dict(pair.split("=") for pair in found[1].split(", ")) if found else {}
            wildcards.pop("dataset", None)
            cell = tuple(f"{name}{wildcards.pop(name)}" for name in ("seed", "shots") if name in wildcards)
            jobs.add(Job(rule, cell, " ".join(wildcards.values())))
        assert jobs or "Nothing to be done" in result.stdout, result.stdout
        return {job for job in jobs if job.rule != "all"}

    def explain(self) -> str:
        """What `make explain` prints."""
        command = [sys.executable, "workflow_scripts/explain_jobs.py", "--configfile", CONFIG]
        return subprocess.run(command, cwd=self.folder, text=True, capture_output=True, check=True).stdout

    def configure(self, change: Callable[[dict[str, Any]], object]) -> None:
        """Change the configuration, given as a dictionary."""
        path = self.folder / CONFIG
        values = yaml.safe_load(path.read_text("utf-8"))
        change(values)
        path.write_text(yaml.safe_dump(values, sort_keys=False), "utf-8")

    def replace(self, file: str, old: str, new: str) -> None:
        """Replace the first `old`, which must be there, by `new` in a file."""
        path = self.folder / file
        text = path.read_text("utf-8")
        assert old in text, f"{file} no longer holds {old!r}: name another place in this test"
        path.write_text(text.replace(old, new, 1), "utf-8")

    def results(self) -> dict[str, bytes]:
        """The content of every result by its path: all but logs, benchmarks, locks and the memory of the store.

        The report page is there without its section on the time of jobs, which differs between runs.
        """
        folder = self.folder / "results"
        found = [path for path in folder.rglob("*") if path.is_file() and path.name != ".lock"]
        files = {path.relative_to(folder).as_posix(): path for path in found}
        left_out = ("tiny/logs/", "tiny/benchmarks/", "store/checkpoints/", "store/checksums.json")
        contents = {name: path.read_bytes() for name, path in files.items() if not name.startswith(left_out)}
        if "tiny/report.html" in contents:
            contents["tiny/report.html"] = COST.sub(b"", contents["tiny/report.html"])
        return contents


def copy_project(folder: Path, stand_ins: Path) -> Project:
    """A fresh copy of the project's files in `folder`, without results."""
    for part in PARTS:
        source = ROOT / part
        if source.is_dir():
            large = ("models", "build") if part == "demo" else ()
            shutil.copytree(source, folder / part, ignore=shutil.ignore_patterns("__pycache__", *large))
        else:
            folder.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, folder / part)
    shutil.copy(Path(__file__).with_name("tiny.yaml"), folder / CONFIG)
    shutil.copytree(stand_ins, folder / "models")
    return Project(folder)
