"""One run at a time works on a folder of results: a lock that the kernel gives back whenever its holder ends.

A file that marks a folder as taken stays behind when its owner is killed; an advisory lock on an open file doesn't.
"""

import errno
import fcntl
import os
import socket
import sys
import threading
import time
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import TextIO

NAME = ".lock"
VARIABLE = "DIAGEN_RUN_LOCK"  # names the lock of the run that started a job
PATIENCE = 5.0  # seconds; the jobs of a run that was killed take a moment to end
NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)


class LockHeld(Exception):
    """Another process holds the lock. The text says which, since when, and what to do."""


def hold(folder: Path, *, shared: bool = False) -> TextIO | None:
    """Take the lock of `folder` (made if missing), and return the file that holds it while it is open.

    Holders of a `shared` lock bear each other; any other holder is alone. Raises `LockHeld` when the lock isn't free
    within some seconds, and `OSError` when `folder` can't be written to. Where the file system has no locks, says so on
    standard error and returns `None`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    file = open(folder / NAME, "a+", encoding="utf-8")  # noqa: SIM115  (it stays open)
    deadline = time.monotonic() + PATIENCE
    try:
        while not _take(file, shared):
            if time.monotonic() > deadline:
                file.seek(0)
                raise LockHeld(f"{folder} is in use by {file.read().strip() or 'another run'}")
            time.sleep(0.1)
    except OSError as error:
        file.close()
        if error.errno not in NO_LOCKS:
            raise
        print(
            f"warning: {folder}: its file system has no locks ({error.strerror}); start one run only", file=sys.stderr
        )
        return None
    if not shared:
        file.truncate(0)
        now = datetime.now().astimezone().isoformat(" ", "seconds")
        file.write(f"process {os.getpid()} on {socket.gethostname()}, since {now}\n")
        file.flush()
    return file


def _take(file: TextIO, shared: bool) -> bool:
    try:
        fcntl.flock(file, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def end_with_run() -> None:
    """Let this process end as soon as the run that started it has ended, even by `kill -9`.

    Otherwise it would work on beside the jobs of the next run, and might write its results over theirs, made with other
    settings. Does nothing in a process that no run has started.
    """
    if lock := os.environ.get(VARIABLE):
        threading.Thread(target=_end_after, args=(Path(lock),), daemon=True).start()


def _end_after(lock: Path) -> None:
    with open(lock, encoding="utf-8") as file:
        # Granted when the run gives its own lock back, that is, when it is no more. Until this process has ended, no
        # other run gets it.
        fcntl.flock(file, fcntl.LOCK_SH)
        with suppress(OSError):  # who would read it may be dead too
            os.write(2, b"error: the run that started this job was killed, so the job ends; start the run again\n")
        os._exit(1)
