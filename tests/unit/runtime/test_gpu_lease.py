"""The lease of a GPU, with lists of imaginary GPUs, and real processes, some of which are killed."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from diagen.runtime.gpu_lease import Gpu, visible_gpus

LIBRARY = Path(__file__).parents[3] / "workflow_scripts"
HOLD = "import os, sys, time; from diagen.runtime.gpu_lease import lease_gpu; lease = lease_gpu(); "
PRINT = "print(os.environ.get('CUDA_VISIBLE_DEVICES'), flush=True); "
SLEEP = "time.sleep(600)"
TOOL = """#!/bin/sh
echo "GPU 0: NVIDIA H100 80GB HBM3 (UUID: GPU-aaaa-0)"
echo "GPU 1: NVIDIA A100-SXM4-40GB (UUID: GPU-bbbb-1)"
"""


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """An environment with two GPUs and its own locks."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("SLURM", "CUDA"))}
    return kept | {"PYTHONPATH": str(LIBRARY), "TMPDIR": str(tmp_path), "CUDA_VISIBLE_DEVICES": "0,1"}


@contextmanager
def process(code: str, environment: dict[str, str]) -> Iterator[subprocess.Popen[str]]:
    """A Python process in a group of its own, which ends with the context."""
    running = subprocess.Popen(
        [sys.executable, "-c", code],
        env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
    )  # fmt: skip
    try:
        yield running
    finally:
        os.killpg(running.pid, signal.SIGKILL)
        running.communicate()


def holder(environment: dict[str, str], then: str = SLEEP) -> subprocess.Popen[str]:
    return process(HOLD + PRINT + then, environment)


def test_each_process_has_its_own_gpu_and_the_next_waits(environment: dict[str, str]) -> None:
    with holder(environment) as first, holder(environment) as second:
        assert {first.stdout.readline(), second.stdout.readline()} == {"0\n", "1\n"}
        with holder(environment) as third:
            message = third.stderr.readline()
            assert message.startswith("waiting for a GPU, all are leased: ")
            assert f"process {first.pid}" in message and f"process {second.pid}" in message
            time.sleep(1)
            assert third.poll() is None
            second.kill()
            assert third.stdout.readline() in ("0\n", "1\n")
            assert third.stderr.readline().startswith("on the GPU ")


def test_no_two_of_many_hold_one_gpu_while_some_are_killed(environment: dict[str, str], tmp_path: Path) -> None:
    """Each records when it obtains a GPU and when it is about to end, some by an uncatchable signal."""
    record = tmp_path / "record"
    then = (
        f"name = os.environ['CUDA_VISIBLE_DEVICES']; record = open({str(record)!r}, 'a'); "
        "print('take', name, os.getpid(), file=record, flush=True); time.sleep(0.3); "
        "print('end', name, os.getpid(), file=record, flush=True); "
        "os.kill(os.getpid(), 9) if int(sys.argv[1]) % 3 == 0 else None"
    )
    command = [sys.executable, "-c", HOLD + then]
    processes = [
        subprocess.Popen([*command, str(number)], env=environment, stderr=subprocess.DEVNULL) for number in range(9)
    ]
    for number, running in enumerate(processes):
        assert running.wait(60) == (-signal.SIGKILL if number % 3 == 0 else 0)
    holding: dict[str, str] = {}
    for line in record.read_text().splitlines():
        what, name, pid = line.split()
        if what == "take":
            assert holding.setdefault(name, pid) == pid, record.read_text()
        else:
            assert holding.pop(name) == pid
    assert record.read_text().count("take") == 9


@pytest.mark.parametrize(
    "child",
    [
        "import subprocess; subprocess.Popen(['sleep', '600'], close_fds=False); ",
        "os.fork() or time.sleep(600); ",
    ],
    ids=["a program", "a fork"],
)
def test_a_dead_holders_gpu_is_free_while_its_children_live(environment: dict[str, str], child: str) -> None:
    environment["CUDA_VISIBLE_DEVICES"] = "0"
    with process(HOLD + child + PRINT + SLEEP, environment) as first:
        assert first.stdout.readline() == "0\n"
        first.kill()
        first.wait()
        with holder(environment) as second:
            assert second.stdout.readline() == "0\n"
            assert second.stderr.readline() == "on the GPU 0\n"
        os.killpg(first.pid, 0)  # the child is still there


def test_a_slurm_allocation_is_independent(environment: dict[str, str]) -> None:
    """Numbers of GPUs are not comparable across jobs; a job's only GPU is used directly, several are leased."""
    with holder(environment), holder(environment) as outside:
        outside.stdout.readline()
        job = environment | {"SLURM_JOB_ID": "77"}
        with holder(job) as first, holder(job) as second:
            assert {first.stdout.readline(), second.stdout.readline()} == {"0\n", "1\n"}
            with holder(job | {"SLURM_JOB_ID": "78"}) as other:
                assert other.stdout.readline() == "0\n"
        single = job | {"CUDA_VISIBLE_DEVICES": "1"}
        with holder(single) as first, holder(single) as second:
            assert (first.stdout.readline(), second.stdout.readline()) == ("1\n", "1\n")


def test_a_released_gpu_is_available(environment: dict[str, str]) -> None:
    environment["CUDA_VISIBLE_DEVICES"] = "0"
    with holder(environment, "lease.release(); print('released', flush=True); " + SLEEP) as first:
        assert [first.stdout.readline() for _ in range(2)] == ["0\n", "released\n"]
        with holder(environment) as second:
            assert second.stdout.readline() == "0\n"


def test_a_lock_folder_that_others_can_write_to_is_rejected(environment: dict[str, str], tmp_path: Path) -> None:
    folder = tmp_path / f"diagen-gpus-{os.getuid()}"
    folder.mkdir()
    folder.chmod(0o777)
    result = subprocess.run([sys.executable, "-c", HOLD], env=environment, capture_output=True, text=True)
    assert (
        f"InputError: {folder}: belongs to another user, or others can write to it. Remove it: rm -r {folder};"
        in result.stderr
    )


@pytest.mark.parametrize(
    ("named", "found"),
    [
        (None, ["GPU-aaaa-0", "GPU-bbbb-1"]),
        ("1,0", ["GPU-bbbb-1", "GPU-aaaa-0"]),
        ("GPU-bb", ["GPU-bbbb-1"]),
        ("1,GPU-bbbb-1", ["GPU-bbbb-1"]),
        ("MIG-0a/1/0", ["MIG-0a/1/0"]),
        ("0,-1,1", ["GPU-aaaa-0"]),
        ("7", []),
        ("NoDevFiles", []),
        ("", []),
    ],
)
def test_visible_gpus(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, named: str | None, found: list[str]) -> None:
    """All names of a GPU resolve to its UUID, so processes that use different names exclude each other."""
    (tmp_path / "nvidia-smi").write_text(TOOL)
    (tmp_path / "nvidia-smi").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    if named is None:
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    else:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", named)
    assert [gpu.identity for gpu in visible_gpus()] == found
    if named == "1,0":
        assert visible_gpus()[0] == Gpu("GPU-bbbb-1", "NVIDIA A100-SXM4-40GB")


def test_without_nvidias_tool_its_driver_lists_the_gpus(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr("diagen.runtime.gpu_lease.DRIVER", tmp_path)
    assert visible_gpus() == []
    (tmp_path / "0000:3b:00.0").mkdir()
    (tmp_path / "0000:3b:00.0" / "information").write_text(
        "Model: \t\t NVIDIA A100\nIRQ:   \t 99\nGPU UUID: \t GPU-1a2b-3c\nVideo BIOS: \t 9\n"
    )
    assert visible_gpus() == [Gpu("GPU-1a2b-3c", "NVIDIA A100")]


PROGRAMS = sorted(path.stem for path in LIBRARY.glob("*.py") if "prepare_torch(" in path.read_text("utf-8"))


@pytest.mark.parametrize("program", PROGRAMS)
def test_programs_lease_before_they_import_torch(program: str) -> None:
    """Imports may initialize CUDA, so nothing that imports torch may be imported before the lease."""
    source = (LIBRARY / f"{program}.py").read_text("utf-8")
    before = source.split("prepare_torch(")[0]
    imports = "\n".join(line.strip() for line in before.splitlines() if line.strip().startswith(("from ", "import ")))
    code = f"{imports}\nimport sys; sys.exit('torch' in sys.modules)"
    environment = os.environ | {"PYTHONPATH": str(LIBRARY)}
    assert subprocess.run([sys.executable, "-c", code], env=environment).returncode == 0
