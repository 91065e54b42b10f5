"""Step `demo` of `gpu_check`: the programs of a small run on the device, against their recording on a CPU.

Each program gets the recorded results of those before it, so that a difference shows at the program that causes it.
"""

import csv
import os
import shlex
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
from PIL import Image
from pydantic import Field, TypeAdapter, ValidationError
from typing_extensions import TypedDict  # pydantic requires this one before Python 3.12

from bench.gpu_agreement import FLOAT32_LEVELS, IMAGES_APART, LEAST_COSINE, LOSSES_WITHIN
from bench.gpu_measure import Clock, Report
from bench.gpu_parts import InputError, Setup, read_learned_words

STEP = "demo"
ROOT = Path(__file__).resolve().parents[1]
REPEATED = ("learn_embeddings", "generate_images")
CONFIDENCE_WITHIN = 1e-3


class Job(TypedDict):
    """A recorded job: its rule, the command of its shell, and the files that it wrote."""

    rule: str
    command: str
    outputs: list[str]


def read_jobs(recording: Path) -> list[Job]:
    """Read the jobs of a recording. Raises `InputError` if the recording is incomplete."""
    file = recording / "jobs.json"
    remedy = "Copy the recording again, or write one by bench/record_demo.py"
    try:
        jobs = TypeAdapter(Annotated[list[Job], Field(min_length=1)]).validate_json(file.read_bytes())
    except OSError as error:
        raise InputError(f"--recording {recording}: jobs.json: {error.strerror}. {remedy}") from None
    except ValidationError:
        raise InputError(f"--recording {recording}: jobs.json is damaged. {remedy}") from None
    needed = ["results/store", *(output for job in jobs for output in job["outputs"])]
    if missing := [name for name in needed if not (recording / name).exists()]:
        raise InputError(f"--recording {recording}: {missing[0]} is missing. {remedy}")
    return jobs


def run(setup: Setup, report: Report, clock: Clock) -> None:
    """Repeat each recorded program, the first two twice, and compare its results."""
    if setup.recording is None:
        report.add(STEP, "programs", "not run: no --recording is given; bench/record_demo.py writes one")
        return
    work = setup.folder / "demo"
    shutil.copytree(setup.recording, work)
    shutil.rmtree(work / "results" / "store")
    for name in ("demo", "config"):
        (work / name).symlink_to(ROOT / name)
    for job in read_jobs(setup.recording):
        clock.require(10)
        for output in job["outputs"]:
            (work / output).unlink()
        seconds = run_program(setup, work, job["command"])
        report.add(STEP, f"{_name(job)}: seconds", round(seconds, 1))
        compare(setup, report, work, job)
        if job["rule"] in REPEATED:
            first = contents(work, job)
            shutil.rmtree(work / "results" / "store")
            run_program(setup, work, job["command"])
            differing = sum(value != first[name] for name, value in contents(work, job).items())
            report.check(STEP, f"{_name(job)}: files with other bytes when made again", differing, 0)
        for output in job["outputs"]:
            shutil.copyfile(setup.recording / output, work / output)
        if job["rule"] == "generate_images":
            shutil.copytree(setup.recording / "results" / "store", work / "results" / "store", dirs_exist_ok=True)


def run_program(setup: Setup, work: Path, command: str) -> float:
    """Run a recorded command on the device; returns its wall time in seconds. Raises `RuntimeError` if it fails."""
    tools = setup.folder / "bin"
    if not tools.is_dir():
        tools.mkdir()
        # Not a link, with which a virtual environment would not be found.
        (tools / "python").write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} "$@"\n', encoding="utf-8")
        (tools / "python").chmod(0o755)
    command = command.replace("--device cpu", f"--device {setup.device.type}")
    environment = {**os.environ, "DIAGEN": str(ROOT), "PATH": f"{tools}{os.pathsep}{os.environ['PATH']}"}
    environment["TMPDIR"] = str(tools)  # with its own locks: this process has leased the GPU
    start = time.perf_counter()
    done = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {command}"], cwd=work, env=environment, capture_output=True, text=True
    )
    if done.returncode:
        raise RuntimeError(f"{command}\n{(done.stdout + done.stderr)[-2000:]}")
    return time.perf_counter() - start


def contents(work: Path, job: Job) -> dict[str, bytes]:
    """Return the bytes of all images in the store and of the outputs of a job, without records of the machine."""
    files = [work / output for output in job["outputs"]] + sorted((work / "results" / "store").rglob("*.png"))
    return {str(path): path.read_bytes() for path in files if not path.name.endswith("made_with.json")}


def compare(setup: Setup, report: Report, work: Path, job: Job) -> None:
    """Compare the results of a job with the recorded ones."""
    reference = setup.recording
    assert reference is not None
    for output in job["outputs"]:
        ours, recorded, name = work / output, reference / output, f"{_name(job)}: {Path(output).name}"
        if job["rule"] == "learn_embeddings" and ours.suffix == ".safetensors":
            words = list(zip(read_learned_words(ours), read_learned_words(recorded), strict=True))
            apart = max(abs(one.loss - other.loss) / other.loss for one, other in words)
            report.check(STEP, f"{name}: losses, relative", apart, LOSSES_WITHIN)
        elif ours.name == "manifest.csv":
            images, others = ([row["file_name"] for row in rows(path)] for path in (ours, recorded))
            report.check(STEP, f"{name}: other files", int(images != others), 0)
            stores = work / "results" / "store", reference / "results" / "store"
            pairs = list(zip(images, others, strict=True))
            apart = max(levels_apart(stores[0] / one, stores[1] / other) for one, other in pairs)
            report.check(STEP, f"{name}: pixels, largest difference", apart, FLOAT32_LEVELS)
        elif ours.name == "features.npy":
            one, other = (torch.from_numpy(np.load(path)).double() for path in (ours, recorded))
            cosine = torch.nn.functional.cosine_similarity(one, other).min()
            report.check(STEP, f"{name}: least cosine", float(cosine), LEAST_COSINE, at_least=True)
        elif ours.name == "predictions.csv":
            differing = sum(one != other for one, other in zip(*map(predicted, (ours, recorded)), strict=True))
            report.check(STEP, f"{name}: other predictions", differing, IMAGES_APART)
        elif job["rule"] == "score_images" and ours.suffix == ".csv":
            one, other = ([float(row["confidence"]) for row in rows(path)] for path in (ours, recorded))
            apart = float(np.abs(np.subtract(one, other)).max())
            report.check(STEP, f"{name}: confidences, largest difference", apart, CONFIDENCE_WITHIN)


def rows(path: Path) -> list[dict[str, str]]:
    """Read the rows of a CSV file."""
    with open(path, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def predicted(path: Path) -> list[str]:
    """Read the predicted classes of predictions.csv."""
    return [row["predicted"] for row in rows(path)]


def levels_apart(path: Path, other: Path) -> int:
    """Return the largest difference of two images in gray levels."""
    with Image.open(path) as one, Image.open(other) as two:
        return int(np.abs(np.asarray(one, np.int16) - np.asarray(two, np.int16)).max())


def _name(job: Job) -> str:
    folder = Path(job["outputs"][0]).parent.name
    return f"{job['rule']} {folder}" if job["rule"] == "train_downstream" else str(job["rule"])
