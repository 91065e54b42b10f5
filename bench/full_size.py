"""Run the workflow with models of the real sizes, and tell how long each stage takes and how much memory.

The weights are random, so the pictures show nothing; shapes, formats, memory and time are those of the real models:
Stable Diffusion v1-4 at 512 pixels, DINOv2 ViT-L/14, ResNet-50. What is run says config/full_size.yaml. The models
(2.8 GB) are written into bench/build/full_size/models, once.
"""

import argparse
import csv
import json
import resource
import shutil
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "bench" / "build" / "full_size"
CONFIG = ROOT / "config" / "full_size.yaml"


@dataclass(frozen=True)
class Stage:
    """What one job took: wall time in seconds, CPU time in seconds, and the largest resident memory seen, in GB."""

    name: str
    seconds: float
    cpu_seconds: float
    memory: float


def read_stages(benchmarks: Iterable[Path]) -> list[Stage]:
    """What Snakemake's extended benchmarks tell of each job, in the order in which the jobs ended."""
    stages = []
    for path in sorted(benchmarks, key=lambda path: path.stat().st_mtime_ns):
        record = json.loads(path.read_text("utf-8").splitlines()[-1])
        # Jobs of less than the first sample have no figures of memory.
        seconds, cpu, memory = (float(record[key] or 0) for key in ("s", "cpu_time", "max_rss"))
        stages.append(Stage(record["rule_name"], seconds, cpu, memory * 2**20 / 1e9))
    return stages


def table(stages: Iterable[Stage]) -> str:
    """The stages as a table in Markdown."""
    lines = ["| stage | time (s) | CPU time (s) | peak memory (GB) |", "|---|---|---|---|"]
    lines += [
        f"| {stage.name} | {stage.seconds:.0f} | {stage.cpu_seconds:.0f} | {stage.memory:.1f} |" for stage in stages
    ]
    return "\n".join(lines)


def main() -> None:
    """Run the program."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cores", type=int, default=2, metavar="N", help="cores for Snakemake (default: 2)")
    arguments = parser.parse_args()

    models = FOLDER / "models"
    if not (models / "SHA256SUMS").is_file():
        print(f"writing models of full size, with random weights, into {models}")
        # In a process of its own, whose gigabytes are free again when the stages run.
        subprocess.run([sys.executable, "-m", "bench.architectures", "--output", models], check=True)
    # Every run measures all stages, so none may find its result made.
    shutil.rmtree(FOLDER / "results", ignore_errors=True)
    command = [sys.executable, "-m", "snakemake", "--snakefile", ROOT / "Snakefile", "--directory", FOLDER]
    command += ["--configfile", CONFIG, "--workflow-profile", ROOT / "profiles" / "default"]
    subprocess.run([*command, "--cores", str(arguments.cores)], check=True)
    stages = read_stages((FOLDER / "results" / "full_size" / "benchmarks").rglob("*.jsonl"))
    with open(FOLDER / "stages.csv", "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("stage", "seconds", "cpu_seconds", "memory_gb"))
        writer.writerows((stage.name, stage.seconds, stage.cpu_seconds, stage.memory) for stage in stages)
    print(table(stages))
    largest = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024 / 1e9
    print(
        f"The largest process held {largest:.1f} GB. {sum(stage.seconds for stage in stages) / 60:.0f} minutes in all."
    )


if __name__ == "__main__":
    main()
