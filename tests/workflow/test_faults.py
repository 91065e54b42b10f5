"""What goes wrong around a run: a second one, a killed one, a full or read-only disk, a clock that moved."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from PIL import Image

from tests.workflow.project import CONFIG, ROOT, Project

CELL = "results/tiny/world/seed7/shots2"
WORDS = f"{CELL}/embeddings/paper.safetensors"
DISK = 8 * 2**20  # bytes


def wait_for(condition: Callable[[], bool], seconds: float = 120) -> None:
    """Wait until `condition` holds; fails when it doesn't in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.1)


def jobs_of(project: Project) -> list[int]:
    """Processes that run the project's programs: those started in its folder."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if (process / "cwd").resolve() == project.folder and b"workflow_scripts" in (
                process / "cmdline"
            ).read_bytes():
                found.append(int(process.name))
        except OSError:  # it has ended meanwhile
            continue
    return found


@pytest.fixture
def learning(fresh: Project) -> Iterator[tuple[Project, subprocess.Popen[str]]]:
    """A project whose words take minutes to learn, and a run of it that has learned for a while."""
    fresh.configure(lambda config: config["embeddings"]["paper"].update(steps=20_000))
    command = [sys.executable, "-m", "snakemake", "--configfile", CONFIG, "--cores", "2", WORDS]
    with open(fresh.folder / "first.log", "w") as log:
        run = subprocess.Popen(command, cwd=fresh.folder, stdout=log, stderr=log, text=True, start_new_session=True)
    try:
        wait_for(lambda: any((fresh.folder / "results/store/checkpoints").glob("[!.]*")))
        yield fresh, run
    finally:
        with suppress(ProcessLookupError):  # a test may have ended it
            os.killpg(run.pid, signal.SIGKILL)
        run.wait()


@pytest.mark.slow
def test_a_second_run_is_told_who_runs_and_harms_nothing(learning):
    project, run = learning
    second = project.snakemake("--cores", "1")
    assert second.returncode != 0 and "Traceback" not in second.stdout
    assert f"results/tiny is in use by process {run.pid} on " in second.stdout
    assert run.poll() is None and jobs_of(project)
    # What computes nothing may go on beside it, but what removes may not.
    assert project.snakemake("--dry-run").returncode == 0
    assert project.snakemake("--cores", "1", "verify_results").returncode == 0
    pruned = project.snakemake("--cores", "1", "remove_unneeded")
    assert pruned.returncode != 0 and "results/store is in use" in pruned.stdout


@pytest.mark.slow
def test_jobs_end_with_a_run_that_is_killed_alone_and_the_same_command_goes_on(learning):
    project, run = learning
    assert jobs_of(project)
    run.kill()
    wait_for(lambda: not jobs_of(project), seconds=10)
    assert "the run that started this job was killed" in (project.folder / "first.log").read_text("utf-8")

    again = ["--cores", "2", WORDS]
    command = [sys.executable, "-m", "snakemake", "--configfile", CONFIG, *again]
    with open(project.folder / "second.log", "w") as log:
        second = subprocess.Popen(command, cwd=project.folder, stdout=log, stderr=log, start_new_session=True)
    try:
        wait_for(lambda: "learning words: " in (project.folder / "second.log").read_text("utf-8"))
        first_told = (project.folder / "second.log").read_text("utf-8").split("learning words: ")[1].split()[0]
        assert int(first_told) > 100, "it went on from the checkpoint"
    finally:
        os.killpg(second.pid, signal.SIGKILL)
        second.wait()


@pytest.mark.slow
def test_ctrl_c_ends_a_run_with_a_line_on_how_to_continue(learning):
    project, run = learning
    os.killpg(run.pid, signal.SIGINT)  # a terminal sends it to Snakemake and to its jobs
    assert run.wait(timeout=60) != 0
    text = (project.folder / "first.log").read_text("utf-8")
    assert text.count("to continue, run the same command again") == 1
    assert "Traceback" not in text and not jobs_of(project)
    assert any((project.folder / "results/store/checkpoints").glob("[!.]*")), "finished work is kept"
    assert "learn_embeddings" in {job.rule for job in project.plan(WORDS)}


# ---------------------------------------------------------------- disks


@pytest.fixture
def small_disk(changeable: Project) -> Iterator[Project]:
    """The finished project with its results on a disk of their own, of 8 MB."""
    results, aside = changeable.folder / "results", changeable.folder / "aside"
    results.rename(aside)
    results.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={DISK}", "tmpfs", results], capture_output=True, text=True
    )
    if mounted.returncode != 0:
        pytest.skip(f"a small disk can't be mounted, which needs root: {mounted.stderr.strip()}")
    try:
        subprocess.run(["cp", "-a", f"{aside}/.", results], check=True)
        yield changeable
    finally:
        subprocess.run(["umount", results], check=True)


def fill(folder: Path, free: int) -> Path:
    """Fill the disk of `folder` but for `free` bytes."""
    filler = folder / "filler"
    with open(filler, "wb") as file:
        while (room := shutil.disk_usage(folder).free - free) > 0:
            file.write(b"\0" * room)
            file.flush()
    return filler


def forget(project: Project, *outputs: str) -> None:
    """Remove outputs of a finished run, and all logs, whose space would be free again."""
    for output in outputs:
        (project.folder / output).unlink()
    for folder in ("logs", "benchmarks"):
        shutil.rmtree(project.folder / "results/tiny" / folder)


@pytest.mark.slow
@pytest.mark.parametrize(
    "outputs",
    [
        [f"{CELL}/synthetic/diagen/features.npy"],
        [f"{CELL}/downstream/diagen/{name}" for name in ("metrics.json", "history.csv", "head.safetensors")],
        [f"{CELL}/diversity/diagen.json"],
        [WORDS],
    ],
    ids=["features", "classifier", "figures", "words"],
)
def test_a_full_disk_is_told_and_after_room_was_made_the_run_goes_on(finished, small_disk, outputs):
    forget(small_disk, *outputs)
    if WORDS in outputs:
        shutil.rmtree(small_disk.folder / "results/store/words")
    for output in outputs:
        (small_disk.folder / "results/tiny/logs" / output).parent.mkdir(parents=True, exist_ok=True)
    filler = fill(small_disk.folder / "results", free=0)
    failed = small_disk.snakemake("--cores", "1", *outputs)
    assert failed.returncode != 0
    assert "No space left on device" in failed.stdout or "the disk is full" in failed.stdout, failed.stdout
    assert "Traceback" not in failed.stdout, failed.stdout
    filler.unlink()
    small_disk.make("--cores", "1", *outputs)
    assert small_disk.results() == finished.results()


@pytest.mark.slow
def test_images_made_before_the_disk_was_full_are_whole_and_stay(finished, small_disk):
    manifest = f"{CELL}/synthetic/diagen/manifest.csv"
    store = small_disk.folder / "results/store/images"
    forget(small_disk, manifest)
    named = {path.name for path in store.rglob("*.png")}
    shutil.rmtree(store)
    filler = fill(small_disk.folder / "results", free=60_000)
    failed = small_disk.snakemake("--cores", "1", manifest)
    assert failed.returncode != 0
    assert "the disk is full. Make room" in failed.stdout and "Traceback" not in failed.stdout, failed.stdout
    made = {path: path.stat().st_mtime_ns for path in store.rglob("*.png")}
    assert made.keys() and {path.name for path in made} < named
    for path in made:
        Image.open(path).load()
    assert not list((small_disk.folder / "results").rglob(".*.tmp*"))
    filler.unlink()
    small_disk.make("--cores", "1", manifest, f"{CELL}/synthetic/da_fusion/manifest.csv")
    assert {path: path.stat().st_mtime_ns for path in made} == made, "an image that was there was made again"


@pytest.mark.slow
def test_results_that_cant_be_written_are_told(small_disk):
    outputs = f"{CELL}/diversity/diagen.json"
    for output in (outputs, outputs.replace(".json", ".made_with.json")):
        (small_disk.folder / output).unlink()
    results = small_disk.folder / "results"
    subprocess.run(["mount", "-o", "remount,ro", results], check=True)
    try:
        refused = small_disk.snakemake("--cores", "1", outputs)
        assert refused.returncode != 0 and "Traceback" not in refused.stdout, refused.stdout
        assert "Read-only file system" in refused.stdout
        assert {str(job) for job in small_disk.plan(outputs)} == {"measure_diversity diagen"}, "it can still be asked"
    finally:
        subprocess.run(["mount", "-o", "remount,rw", results], check=True)
    small_disk.make("--cores", "1", outputs)


# ---------------------------------------------------------------- clocks


@pytest.mark.parametrize("date", ["2001-01-01", "2099-01-01"])
def test_a_clock_that_moved_reruns_nothing(changeable, date):
    files = [path for path in changeable.folder.rglob("*") if path.is_file() and ".snakemake" not in path.parts]
    subprocess.run(["touch", f"--date={date}", *map(str, files[::2])], check=True)
    assert changeable.plan() == set()


@pytest.mark.slow
def test_inputs_from_the_future_are_told_and_a_touch_is_the_remedy(finished, changeable):
    (changeable.folder / "results/tiny/summary/accuracy.csv").unlink()
    inputs = [path for path in changeable.folder.joinpath(CELL, "downstream").rglob("*") if path.is_file()]
    subprocess.run(["touch", "--date=2099-01-01", *map(str, inputs)], check=True)
    refused = changeable.snakemake("--cores", "1")
    assert refused.returncode != 0 and "Traceback" not in refused.stdout
    assert "2099-01-01" in refused.stdout and "clock skew" in refused.stdout

    remedy = "find results/my_photos -type f -newermt now -exec touch {} +"
    assert remedy in (ROOT / "docs/failures.md").read_text("utf-8")
    subprocess.run(remedy.replace("my_photos", "tiny"), shell=True, cwd=changeable.folder, check=True)
    changeable.make("--cores", "1")
    assert changeable.plan() == set()
    assert changeable.results() == finished.results()
