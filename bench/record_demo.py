"""Record a small run of the workflow on the CPU, for `bench/gpu_check.py --recording`.

The recording holds the results of bench/gpu_demo.yaml and the commands of its jobs, so that a machine without Snakemake
can repeat each program on a GPU.
"""

import argparse
import base64
import json
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "bench" / "build" / "gpu_demo"
CONFIG = ROOT / "bench" / "gpu_demo.yaml"


def main() -> None:
    """Run the program."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=FOLDER, help="folder to write (default: bench/build/gpu_demo)")
    parser.add_argument("--cores", type=int, default=2, metavar="N", help="cores for Snakemake (default: %(default)s)")
    arguments = parser.parse_args()
    folder = arguments.folder.resolve()

    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name in ("demo", "config"):
        (folder / name).symlink_to(ROOT / name)
    command = [sys.executable, "-m", "snakemake", "--snakefile", ROOT / "Snakefile", "--directory", folder]
    command += ["--configfile", CONFIG, "--workflow-profile", ROOT / "profiles" / "default"]
    command += [
        "--cores",
        str(arguments.cores),
        "--until",
        "train_downstream",
        "extract_features",
        "extract_real_features",
    ]
    subprocess.run([str(part) for part in command], check=True)
    jobs = read_jobs((folder / ".snakemake" / "metadata").rglob("*"))
    for name in ("demo", "config"):
        (folder / name).unlink()
    shutil.rmtree(folder / ".snakemake")
    (folder / "jobs.json").write_text(json.dumps(jobs, indent=1) + "\n", encoding="utf-8")
    print(f"{folder}: {len(jobs)} jobs")


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
    main()
