"""Runs of the workflow on the test cluster, and what they did to the store of images."""

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.slurm.cluster import Cluster
from tests.workflow.project import CONFIG, Project

# The profile is that of the project. A cluster without accounting is asked by squeue, and one that is as fast, sooner.
OPTIONS = (
    *("--workflow-profile", "profiles/slurm"),
    *("--slurm-status-command", "squeue"),
    *("--slurm-init-seconds-before-status-checks", "1", "--seconds-between-status-checks", "1"),
)
PATIENCE = 600.0  # seconds; on a busy machine all takes long, and none of these waits is to find out how long


@dataclass
class Run:
    """Snakemake at work on the cluster; `output` is the file of its messages."""

    process: subprocess.Popen[bytes]
    output: Path

    def succeeds(self) -> None:
        """Wait for its end; fails with its messages."""
        assert self.process.wait(timeout=PATIENCE) == 0, self.output.read_text("utf-8")


def submit(project: Project, cluster: Cluster, *arguments: str) -> Run:
    """Start the workflow with the profile for SLURM."""
    output = project.folder / "snakemake.out"
    with open(output, "ab") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", "snakemake", "--configfile", CONFIG, *OPTIONS, *arguments],
            cwd=project.folder,
            env=cluster.environment,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
        )
    return Run(process, output)


@dataclass
class Writes:
    """The images of a store as they were written, and when each was seen. One that is replaced counts again."""

    store: Path
    seen: dict[tuple[str, int], float] = field(default_factory=dict)

    def look(self) -> None:
        """Note the images that are there now."""
        for path in (self.store / "images").glob("*/[!.]*.png"):
            try:
                self.seen.setdefault((path.name, path.stat().st_ino), time.monotonic())
            except FileNotFoundError:
                continue

    def names(self) -> set[str]:
        """The images that were written."""
        return {name for name, _ in list(self.seen)}

    def repeated(self, images: set[str]) -> int:
        """How often one of `images` was written again."""
        return sum(name in images for name, _ in self.seen) - len(self.names() & images)

    def recovery(self, images: set[str], fault: float) -> float:
        """Seconds from a fault to the first of `images` that a new process made, which takes 2 s at the least."""
        return min(when for (name, _), when in self.seen.items() if name in images and when > fault + 2) - fault


@contextmanager
def watched(store: Path) -> Iterator[Writes]:
    """Count what is written to the store meanwhile, which begins without images."""
    writes, stop = Writes(store), threading.Event()

    def watch() -> None:
        while not stop.wait(0.05):
            writes.look()

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield writes
    finally:
        stop.set()
        thread.join()
        writes.look()


def job_of(cluster: Cluster, rule: str, block: str) -> dict[str, str]:
    """What SLURM remembers of the latest job of a rule for a block, such as a generator; empty before it is there."""
    found = [
        job
        for job in cluster.jobs()
        if job.get("Comment", "").startswith(f"rule_{rule}_") and job["Comment"].endswith(f"_{block}")
    ]
    return found[-1] if found else {}


def wait_until_running(cluster: Cluster, rule: str, block: str) -> str:
    """Wait until a job of a rule for a block has started its program; returns its number."""
    cluster.wait(
        lambda: job_of(cluster, rule, block).get("JobId") in {str(task.job) for task in cluster.tasks()},
        PATIENCE,
        f"{rule} {block} runs",
    )
    return job_of(cluster, rule, block)["JobId"]


def in_the_middle(cluster: Cluster, writes: Writes, *sets: set[str], made: int = 8) -> float:
    """Wait until of each set of images so many have been made, and not all; returns the time."""
    cluster.wait(
        lambda: all(len(writes.names() & images) >= made for images in sets), PATIENCE, "images are being made"
    )
    assert all(not images <= writes.names() for images in sets), "too late: give this test more images to make"
    return time.monotonic()
