"""Record a small run of the workflow on the CPU, for `bench/gpu_check.py --recording`.

The recording holds the results of bench/gpu_demo.yaml and the commands of its jobs, so that a machine without Snakemake
can repeat each program on a GPU.
"""

import argparse
import base64
import json
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from bench.workflow import ROOT, run_workflow
from diagen.errors import InputError
from diagen.runtime.arguments import positive
from diagen.runtime.program import run

FOLDER = ROOT / "bench" / "build" / "gpu_demo"
MARK = "recorded_by_record_demo.txt"
CONFIG = ROOT / "bench" / "gpu_demo.yaml"


def main() -> None:
    """Run the program."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=FOLDER, help="folder to write (default: bench/build/gpu_demo)")
    parser.add_argument(
        "--cores", type=positive, default=2, metavar="N", help="cores for Snakemake (default: %(default)s)"
    )
    arguments = parser.parse_args()

    folder = empty_folder(arguments.folder)
    for name in ("demo", "config"):
        (folder / name).symlink_to(ROOT / name)
    last = ("train_downstream", "extract_features", "extract_real_features")
    run_workflow(folder, CONFIG, arguments.cores, "--until", *last)
    jobs = read_jobs((folder / ".snakemake" / "metadata").rglob("*"))
    for name in ("demo", "config"):
        (folder / name).unlink()
    shutil.rmtree(folder / ".snakemake")
    (folder / "jobs.json").write_text(json.dumps(jobs, indent=1) + "\n", encoding="utf-8")
    print(f"{folder}: {len(jobs)} jobs")


def empty_folder(path: Path) -> Path:
    """Create the folder of a recording, with a mark; an earlier recording there, also an interrupted one, is deleted.

    Raises `InputError` if the folder contains the repository, or files without the mark.
    """
    folder = path.resolve()
    if ROOT.is_relative_to(folder):
        raise InputError(f"--folder {path}: contains this repository. Name a new folder")
    if folder.exists() and any(folder.iterdir()):
        if not (folder / MARK).is_file():
            raise InputError(f"--folder {path}: not empty, and no recording, without {MARK}. Name a new folder")
        shutil.rmtree(folder)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / MARK).write_text("Written by bench/record_demo.py, which may replace this folder.\n", encoding="utf-8")
    return folder


def read_jobs(metadata: Iterable[Path]) -> list[dict[str, Any]]:
    """Read rule, command and outputs of each job with a model of torch from Snakemake's metadata, in order."""
    jobs: dict[str, dict[str, Any]] = {}
    for path in metadata:
        record = json.loads(path.read_text("utf-8")) if path.is_file() else {"rule": ""}
        command = record.get("shellcmd") or ""
        if "--device" in command and record["rule"] != "write_prompts":
            job = {"rule": record["rule"], "command": command, "start": record["starttime"], "outputs": []}
            jobs.setdefault(command, job)["outputs"].append(base64.b64decode(path.name).decode())
    return sorted(jobs.values(), key=lambda job: job["start"])


if __name__ == "__main__":
    run(main)
