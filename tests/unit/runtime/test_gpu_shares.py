"""Shares of a GPU: imaginary GPUs and real processes, some of which are killed, with equal and with mixed settings."""

import contextlib
import fcntl
import os
import random
import signal
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import get_args

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from diagen.config.choices import JobsPerGpu
from diagen.runtime import gpu_lease
from diagen.runtime.gpu_memory import limit_to_share

LIBRARY = Path(__file__).parents[3] / "workflow_scripts"
LEASE = "import os, sys, time; from diagen.runtime.gpu_lease import lease_gpu; lease = lease_gpu(int(sys.argv[1])); "
PRINT = "print(os.environ['CUDA_VISIBLE_DEVICES'], flush=True); "
HOLD = LEASE + PRINT + "time.sleep(600)"


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """An environment with one GPU and its own locks."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("SLURM", "CUDA"))}
    return kept | {"PYTHONPATH": str(LIBRARY), "TMPDIR": str(tmp_path), "CUDA_VISIBLE_DEVICES": "0"}


@pytest.fixture
def start(environment: dict[str, str]) -> Iterator[object]:
    """Start a process that leases the share of a GPU for a number of jobs, and holds it."""
    with contextlib.ExitStack() as stack:

        def hold(jobs: int) -> subprocess.Popen[str]:
            process = subprocess.Popen(
                [sys.executable, "-c", HOLD, str(jobs)],
                env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            )  # fmt: skip
            stack.callback(process.communicate)
            stack.callback(process.kill)
            return process

        yield hold


def test_the_configuration_allows_the_numbers_of_jobs_of_a_lease() -> None:
    assert get_args(JobsPerGpu) == gpu_lease.JOBS


def test_jobs_share_a_gpu_and_one_too_many_waits(start) -> None:
    sharing = [start(4) for _ in range(4)]
    assert [process.stdout.readline() for process in sharing] == ["0\n"] * 4
    assert sharing[0].stderr.readline() == "on the GPU 0, shared by up to 4 jobs\n"
    fifth = start(4)
    message = fifth.stderr.readline()
    assert message.startswith("waiting for a GPU, all are leased: 0 by ")
    assert all(f"process {process.pid} " in message for process in sharing)
    assert f"process {fifth.pid} " not in message
    sharing[2].kill()
    assert fifth.stdout.readline() == "0\n"


def test_a_job_for_a_whole_gpu_waits_for_all_shares_and_later_ones_do_not_overtake_it(start) -> None:
    first, second = start(4), start(4)
    assert (first.stdout.readline(), second.stdout.readline()) == ("0\n", "0\n")
    whole = start(1)
    assert whole.stderr.readline().startswith("waiting for a GPU")
    later = start(4)  # although half of the GPU is free
    message = later.stderr.readline()
    assert message.startswith("waiting for a GPU") and f"process {whole.pid} " in message
    first.kill()
    second.kill()
    assert whole.stdout.readline() == "0\n"
    assert later.poll() is None
    whole.kill()
    assert later.stdout.readline() == "0\n"


def test_a_dead_process_that_waited_reserves_nothing(start) -> None:
    assert start(2).stdout.readline() == "0\n"
    whole = start(1)
    assert whole.stderr.readline().startswith("waiting for a GPU")
    later = start(2)
    assert later.stderr.readline().startswith("waiting for a GPU")
    whole.kill()
    assert later.stdout.readline() == "0\n"


def test_shares_leave_gpus_whole(start, environment: dict[str, str]) -> None:
    environment["CUDA_VISIBLE_DEVICES"] = "0,1"
    assert [start(jobs).stdout.readline() for jobs in (2, 2, 1)] == ["1\n", "1\n", "0\n"]


def test_a_waiting_job_reserves_one_gpu_only(start, environment: dict[str, str]) -> None:
    environment["CUDA_VISIBLE_DEVICES"] = "0,1"
    sharing = [start(2) for _ in range(3)]
    places = [process.stdout.readline() for process in sharing]
    assert sorted(places) == ["0\n", "1\n", "1\n"]
    whole = start(1)
    assert whole.stderr.readline().startswith("waiting for a GPU")
    later = start(2)
    assert later.stderr.readline().startswith("waiting for a GPU")
    sharing[places.index("1\n")].kill()
    assert later.stdout.readline() == "1\n"
    sharing[places.index("0\n")].kill()
    assert whole.stdout.readline() == "0\n"


def test_an_older_version_with_one_lock_per_gpu_and_this_one_exclude_each_other(start, tmp_path: Path) -> None:
    process = start(1)
    assert process.stdout.readline() == "0\n"
    with open(tmp_path / f"diagen-gpus-{os.getuid()}" / "0", "a+") as older:
        with pytest.raises(BlockingIOError):
            fcntl.flock(older, fcntl.LOCK_EX | fcntl.LOCK_NB)
        process.kill()
        process.wait()
        fcntl.flock(older, fcntl.LOCK_EX | fcntl.LOCK_NB)
        assert start(1).stderr.readline().startswith("waiting for a GPU")


@pytest.mark.parametrize("seed", range(3))
def test_no_gpu_is_exceeded_while_runs_with_other_settings_start_and_are_killed(
    environment: dict[str, str], tmp_path: Path, seed: int
) -> None:
    """Each records when it has its share and when it is about to end, some by an uncatchable signal."""
    environment["CUDA_VISIBLE_DEVICES"] = "0,1"
    record = tmp_path / "record"
    code = LEASE + (
        f"line = (os.environ['CUDA_VISIBLE_DEVICES'], sys.argv[1], os.getpid()); record = open({str(record)!r}, 'a'); "
        "print('take', *line, file=record, flush=True); time.sleep(float(sys.argv[2])); "
        "print('end', *line, file=record, flush=True); os.kill(os.getpid(), 9) if sys.argv[3] == 'kill' else None"
    )
    draw = random.Random(seed)
    plans = [(draw.choice((1, 2, 3, 4, 12)), draw.uniform(0, 0.5), draw.choice(("kill", "end"))) for _ in range(20)]
    processes = [
        subprocess.Popen([sys.executable, "-c", code, *map(str, plan)], env=environment, stderr=subprocess.DEVNULL)
        for plan in plans
    ]
    for process, (*_, end) in zip(processes, plans, strict=True):
        assert process.wait(120) == (-signal.SIGKILL if end == "kill" else 0)
    used: dict[str, Fraction] = defaultdict(Fraction)
    lines = [line.split() for line in record.read_text().splitlines()]
    for what, gpu, jobs, _ in lines:
        used[gpu] += Fraction(1 if what == "take" else -1, int(jobs))
        assert used[gpu] <= 1, record.read_text()
    assert set(used.values()) == {0} and len(lines) == 2 * len(plans)


@settings(max_examples=30)
@given(st.lists(st.tuples(st.booleans(), st.sampled_from(gpu_lease.JOBS), st.integers(0, 99))))
def test_shares_add_up_to_one_gpu_at_most(actions: list[tuple[bool, int, int]]) -> None:
    """Locks of files that were opened twice exclude each other in one process, too."""
    with tempfile.TemporaryDirectory() as folder:
        held: list[tuple[int, tuple]] = []
        for release, jobs, number in actions:
            if release and held:
                for lock in held.pop(number % len(held))[1]:
                    lock.close()
            elif locks := gpu_lease._lock_share(Path(folder, "0"), jobs):
                held.append((jobs, locks))
                assert sum(Fraction(1, jobs) for jobs, _ in held) <= 1
            else:
                assert len(held) >= (jobs if {jobs} == {other for other, _ in held} else 1)
        for _, locks in held:
            for lock in locks:
                lock.close()


@pytest.mark.parametrize(("gigabytes", "jobs", "left"), [(80, 4, 19.35), (24, 2, 11.35), (6, 12, 0)])
def test_a_share_of_the_memory(monkeypatch: pytest.MonkeyPatch, gigabytes: int, jobs: int, left: float) -> None:
    """All jobs, each with its context of CUDA, fit on the GPU; too small a share leaves nothing."""
    limits: list[float] = []
    card = SimpleNamespace(total_memory=gigabytes * 10**9)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: card)
    monkeypatch.setattr(torch.cuda, "set_per_process_memory_fraction", limits.append)
    limit_to_share(jobs)
    assert [limit * gigabytes for limit in limits] == pytest.approx([left])
