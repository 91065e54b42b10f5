"""Step `demo` of `bench/gpu_check.py`: programs agree with their recording, and planted errors are reported."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]


def run(program: str, *options: str | Path) -> int:
    """Run a program of bench/ by itself; its libraries set the environment of their process."""
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'workflow_scripts'}"}
    return subprocess.run([sys.executable, ROOT / "bench" / program, *options], env=environment, check=False).returncode


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("recording") / "gpu_demo"
    assert run("record_demo.py", "--folder", folder) == 0
    return folder


@pytest.fixture
def check(recording: Path, tmp_path: Path) -> Callable[..., tuple[int, list[dict[str, Any]]]]:
    """Change a copy of the recording, and repeat its jobs of a rule (default: all); returns exit status and checks."""

    def repeat(rule: str = "", change: Callable[[Path], None] | None = None) -> tuple[int, list[dict[str, Any]]]:
        folder, output = tmp_path / "recording", tmp_path / "gpu.json"
        shutil.copytree(recording, folder)
        jobs = [job for job in read_jobs(folder) if rule in job["rule"]]
        (folder / "jobs.json").write_text(json.dumps(jobs), encoding="utf-8")
        if change:
            change(folder)
        options = ["--device", "cpu", "--small", "--torch-threads", "1", "--steps", "demo", "--recording", folder]
        status = run("gpu_check.py", *options, "--output", output)
        return status, json.loads(output.read_text("utf-8"))["checks"]

    return repeat


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


def test_recorded_programs_agree_with_the_recording(check: Callable[..., tuple[int, list[dict[str, Any]]]]) -> None:
    status, found = check()

    assert len(found) == 10
    assert all(one["held"] for one in found), found
    assert status == 0


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
    rule: str,
    change: Callable[[Path], None],
    broken: str,
    check: Callable[..., tuple[int, list[dict[str, Any]]]],
) -> None:
    status, found = check(rule, change)

    assert status == 1
    assert any(one["name"].endswith(broken) for one in found if not one["held"])
