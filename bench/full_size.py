"""Run the workflow with models of the real sizes, and report time and memory of each stage.

The weights are random, so the images show noise; shapes, formats, memory and time are those of the real models:
Stable Diffusion v1-4 at 512 pixels, DINOv2 ViT-L/14, ResNet-50. The configuration full_size.yaml is the smallest that
runs every stage; full_size_gpu.yaml is large enough to measure rates on a GPU. The models (2.8 GB) are written once
into bench/build/full_size/models.
"""

import argparse
import csv
import json
import resource
import shutil
import subprocess
import sys
from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path

from bench.gpu_memory import GpuMemory, Sample
from bench.workflow import ROOT, run_workflow
from diagen.errors import InputError
from diagen.runtime.arguments import positive
from diagen.runtime.program import run

FOLDER = ROOT / "bench" / "build" / "full_size"
CONFIG = ROOT / "config" / "full_size.yaml"


@dataclass(frozen=True)
class Stage:
    """Wall time and CPU time of one job in seconds, and its peak memory in GB: resident, and of all GPUs.

    `gpu_memory_gb` is 0 if no GPU was observed.
    """

    stage: str
    seconds: float
    cpu_seconds: float
    memory_gb: float
    gpu_memory_gb: float


def read_stages(benchmarks: Iterable[Path], gpu_memory: Sequence[Sample]) -> list[Stage]:
    """Read Snakemake's extended benchmarks of all jobs, in the order in which the jobs ended.

    A job's GPU memory is the largest sample between its start and its end; one job runs at a time.
    """
    stages = []
    for path in sorted(benchmarks, key=lambda path: path.stat().st_mtime_ns):
        record = json.loads(path.read_text("utf-8").splitlines()[-1])
        # Jobs that end before the first sample have no memory values.
        seconds, cpu, memory = (float(record[key] or 0) for key in ("s", "cpu_time", "max_rss"))
        ended = path.stat().st_mtime
        on_gpu = max((sample.gb for sample in gpu_memory if ended - seconds <= sample.time <= ended), default=0.0)
        stages.append(Stage(record["rule_name"], seconds, cpu, memory * 2**20 / 1e9, on_gpu))
    return stages


def table(stages: Iterable[Stage]) -> str:
    """Format the stages as a table in Markdown."""
    lines = ["| stage | time (s) | CPU time (s) | peak memory (GB) | peak GPU memory (GB) |", "|---|---|---|---|---|"]
    lines += [
        f"| {stage.stage} | {stage.seconds:.0f} | {stage.cpu_seconds:.0f} | {stage.memory_gb:.1f} "
        f"| {stage.gpu_memory_gb:.1f} |"
        for stage in stages
    ]
    return "\n".join(lines)


def main() -> None:
    """Run the program."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--cores", type=positive, default=2, metavar="N", help="cores for Snakemake (default: %(default)s)"
    )
    parser.add_argument("--configfile", type=Path, default=CONFIG, help="default: config/full_size.yaml")
    arguments = parser.parse_args()
    if not arguments.configfile.is_file():
        raise InputError(f"--configfile {arguments.configfile}: no such file. Correct the path")

    models = FOLDER / "models"
    if not (models / "SHA256SUMS").is_file():
        print(f"writing full-size models with random weights into {models}")
        # In a separate process, whose memory is released before the stages run.
        subprocess.run([sys.executable, "-m", "bench.architectures", "--output", models], check=True)
    # Every run measures all stages, so no results may exist.
    shutil.rmtree(FOLDER / "results", ignore_errors=True)
    with GpuMemory() as gpu_memory:
        run_workflow(FOLDER, arguments.configfile, arguments.cores)
    stages = read_stages((FOLDER / "results").glob("*/benchmarks/**/*.jsonl"), gpu_memory.samples)
    with open(FOLDER / "stages.csv", "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([field.name for field in fields(Stage)])
        writer.writerows(astuple(stage) for stage in stages)
    print(table(stages))
    largest = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024 / 1e9
    minutes = sum(stage.seconds for stage in stages) / 60
    print(f"The largest process used {largest:.1f} GB. Total time: {minutes:.0f} minutes.")


if __name__ == "__main__":
    run(main)
