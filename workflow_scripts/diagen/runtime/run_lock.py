"""Lock a folder of results for one run; the kernel releases the lock when its holder ends, however it ends.

A file that marks a folder as locked would remain when its owner is killed; an advisory lock on an open file does not.
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
VARIABLE = "DIAGEN_RUN_LOCK"  # path of the lock file of the run that started a job
PATIENCE = 5.0  # seconds to wait: the jobs of a killed run take a moment to end
NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)


class LockHeld(Exception):
    """Another process holds the lock. The text names folder, process, host and start time; callers add a remedy."""


def hold(folder: Path, *, shared: bool = False) -> TextIO | None:
    """Lock `folder` (created if missing); the returned file holds the lock while it is open.

    Shared locks may coexist; an exclusive lock excludes all others. Raises `LockHeld` when the lock is not free within
    `PATIENCE` seconds, and `OSError` when `folder` is not writable. If the file system has no locks, prints a warning
    and returns `None`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    file = open(folder / NAME, "a+", encoding="utf-8")  # noqa: SIM115  (stays open)
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
            f"warning: {folder}: the file system has no locks ({error.strerror}). Start one run at a time",
            file=sys.stderr,
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
    """End this process when the run that started it ends, even by `kill -9`.

    Otherwise it would continue beside the jobs of the next run, and could overwrite their results with results of
    other settings. Has no effect in a process that no run started.
    """
    if lock := os.environ.get(VARIABLE):
        threading.Thread(target=_end_after, args=(Path(lock),), daemon=True).start()


def _end_after(lock: Path) -> None:
    with open(lock, encoding="utf-8") as file:
        # Granted when the run releases its lock, that is, when it has ended. No other run obtains the lock before this
        # process has ended.
        fcntl.flock(file, fcntl.LOCK_SH)
        with suppress(OSError):  # the reader may have ended too
            os.write(2, b"error: the run that started this job was killed, so the job ends. Start the run again\n")
        os._exit(1)
