"""Step `demo` of `bench/gpu_check.py`: programs agree with their recording, and planted errors are reported."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from bench import gpu_demo
from bench.gpu_measure import Clock, Report
from bench.gpu_parts import Setup

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("recording") / "gpu_demo"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", f"{ROOT}:{ROOT / 'workflow_scripts'}")
        subprocess.run([sys.executable, ROOT / "bench" / "record_demo.py", "--folder", folder], check=True)
    return folder


@pytest.fixture
def checks(recording: Path, tmp_path: Path) -> Callable[..., list[dict[str, Any]]]:
    """Change a copy of the recording, repeat its jobs of a rule (default: all), and return the checks."""

    def run(rule: str = "", change: Callable[[Path], None] | None = None) -> list[dict[str, Any]]:
        folder = tmp_path / "recording"
        shutil.copytree(recording, folder)
        jobs = [job for job in read_jobs(folder) if rule in job["rule"]]
        (folder / "jobs.json").write_text(json.dumps(jobs), encoding="utf-8")
        if change:
            change(folder)
        (tmp_path / "work").mkdir()
        report = Report(tmp_path / "gpu.json")
        gpu_demo.run(Setup(torch.device("cpu"), True, tmp_path / "work", 1, folder), report, Clock(float("inf")))
        return report.results["checks"]

    return run


def read_jobs(folder: Path) -> list[dict[str, Any]]:
    return json.loads((folder / "jobs.json").read_text("utf-8"))


def replace_in_commands(folder: Path, old: str, new: str) -> None:
    jobs = read_jobs(folder)
    assert all(old in job["command"] for job in jobs)
    changed = [job | {"command": job["command"].replace(old, new)} for job in jobs]
    (folder / "jobs.json").write_text(json.dumps(changed), encoding="utf-8")


def swap_features(folder: Path) -> None:
    path = next(folder.glob("results/gpu_demo/world/features.npy"))
    np.save(path, np.load(path)[::-1])


def test_recorded_programs_agree_with_the_recording(checks: Callable[..., list[dict[str, Any]]]) -> None:
    found = checks()

    assert len(found) == 10
    assert all(check["held"] for check in found), found


@pytest.mark.parametrize(
    ("rule", "change", "broken"),
    [
        (
            "learn_embeddings",
            lambda folder: replace_in_commands(folder, "--seed 100", "--seed 101"),
            "losses, relative",
        ),
        (
            "generate_images",
            lambda folder: replace_in_commands(folder, '"dtype":"float32"', '"dtype":"bfloat16"'),
            "other files",
        ),
        ("extract_real_features", swap_features, "least cosine"),
    ],
)
def test_planted_errors_are_reported(
    rule: str, change: Callable[[Path], None], broken: str, checks: Callable[..., list[dict[str, Any]]]
) -> None:
    found = checks(rule, change)

    assert any(check["name"].endswith(broken) for check in found if not check["held"])
