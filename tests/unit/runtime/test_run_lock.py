"""The lock of a folder of results: held by one process, released by the kernel; jobs end with its holder."""

import errno
import fcntl
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from diagen.runtime import run_lock

HOLD = "import sys, time; from pathlib import Path; from diagen.runtime import run_lock; "
HOLDER = HOLD + "lock = run_lock.hold(Path(sys.argv[1]), shared={shared}); print('held', flush=True); time.sleep(600)"
JOB = (
    "import time; from diagen.runtime.program import run; print('at work', flush=True)\n"
    "def main(): time.sleep({seconds}); print('done', flush=True)\n"
    "run(main)"
)


def start(code: str, *arguments: str, **environment: str) -> subprocess.Popen[str]:
    """Start a process that runs `code` with the library; it has printed its first line."""
    scripts = str(Path(run_lock.__file__).parents[2])
    process = subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        env=os.environ | {"PYTHONPATH": scripts} | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None and process.stdout.readline()
    return process


@pytest.fixture
def holder(tmp_path: Path):
    """A process that holds the lock of `tmp_path`."""
    process = start(HOLDER.format(shared=False), str(tmp_path))
    yield process
    process.kill()
    process.communicate()


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_lock, "PATIENCE", 0.2)


def test_the_message_names_the_holder_and_its_start(tmp_path, holder):
    with pytest.raises(run_lock.LockHeld, match=rf"{tmp_path} is in use by process {holder.pid} on .+, since 2\d\d\d-"):
        run_lock.hold(tmp_path)
    assert f"process {holder.pid} " in (tmp_path / ".lock").read_text("utf-8"), "the holder's entry is unchanged"


def test_the_lock_is_free_at_once_when_its_holder_is_killed(tmp_path, holder):
    holder.kill()
    holder.wait()
    with run_lock.hold(tmp_path):
        assert f"process {os.getpid()} " in (tmp_path / ".lock").read_text("utf-8")


def test_shared_locks_coexist_and_exclude_an_exclusive_one(tmp_path):
    process = start(HOLDER.format(shared=True), str(tmp_path))
    try:
        with run_lock.hold(tmp_path, shared=True):
            pass
        with pytest.raises(run_lock.LockHeld, match="another run"):
            run_lock.hold(tmp_path)
    finally:
        process.kill()
        process.communicate()


def test_it_waits_a_moment_for_jobs_that_are_ending(tmp_path, monkeypatch):
    monkeypatch.setattr(run_lock, "PATIENCE", 30)
    process = start(HOLDER.format(shared=True).replace("600", "1"), str(tmp_path))
    run_lock.hold(tmp_path).close()
    process.communicate()


def test_a_job_ends_when_its_run_is_killed_and_only_then(tmp_path, holder):
    job = start(JOB.format(seconds=600), DIAGEN_RUN_LOCK=str(tmp_path / ".lock"))
    time.sleep(0.5)
    assert job.poll() is None
    holder.kill()
    _, message = job.communicate(timeout=30)
    assert job.returncode == 1
    assert "the run that started this job was killed" in message


def test_a_job_of_a_living_run_ends_normally(tmp_path, holder):
    job = start(JOB.format(seconds=0), DIAGEN_RUN_LOCK=str(tmp_path / ".lock"))
    output, message = job.communicate(timeout=30)
    assert (output, message, job.returncode) == ("done\n", "", 0)


def test_a_program_started_by_hand_needs_no_run(monkeypatch):
    monkeypatch.delenv("DIAGEN_RUN_LOCK", raising=False)
    job = start(JOB.format(seconds=0))
    assert job.communicate(timeout=30)[0] == "done\n"


def test_a_file_system_without_locks_is_reported(tmp_path, monkeypatch, capsys):
    def no_locks(*_):
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", no_locks)
    assert run_lock.hold(tmp_path) is None
    assert "Start one run at a time" in capsys.readouterr().err
