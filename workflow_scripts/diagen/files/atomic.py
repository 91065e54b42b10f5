"""Atomic writes: a file is written under a temporary name in the same folder, then renamed."""

import errno
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from diagen.errors import InputError

TEMPORARY = re.compile(r"\..*\.\d+\.tmp(\.\w+)?")
DISK_FULL = (os.strerror(errno.ENOSPC), os.strerror(errno.EDQUOT))
LEAST_FREE = 2**20  # bytes; with less free space, a failed write without error number counts as a full disk


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Yield a temporary path in the folder of `path` (created if missing); on success it is renamed to `path`.

    The temporary name keeps the suffix, from which writers choose the format, and contains the process id, so that two
    processes can write the same file. It is removed after an error; a killed process leaves it behind, with a name that
    `TEMPORARY` matches. Raises `InputError` when the disk is full.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.stem}.{os.getpid()}.tmp{path.suffix}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.touch()
        mode = temporary.stat().st_mode  # by the user's umask; safetensors writes files that only their owner reads
        temporary.unlink()
        yield temporary
        temporary.chmod(mode)
        with open(temporary, "rb") as written:
            os.fsync(written.fileno())
        temporary.replace(path)
    except Exception as error:
        if not _is_disk_full(error, path.parent):
            raise
        raise InputError(
            f"{path} cannot be written: the disk is full. Make room, then repeat the command: finished work is kept. "
            "To list images that nothing needs: snakemake --cores 1 prune_images --configfile <configuration>"
        ) from error
    finally:
        temporary.unlink(missing_ok=True)


def _is_disk_full(error: Exception, folder: Path) -> bool:
    """Return whether a write failed on a full disk. Some libraries report this only in their text, numpy not at all."""
    if any(text in str(error) for text in DISK_FULL):
        return True
    return isinstance(error, OSError) and error.errno is None and shutil.disk_usage(folder).free < LEAST_FREE
