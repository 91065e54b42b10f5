"""Files appear whole or not at all: written under a temporary name beside their place, then renamed."""

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
LEAST_FREE = 2**20  # bytes; with less, a failed write needs no other explanation


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Yield a temporary path in `path`'s folder (made if missing); on success it is renamed to `path`.

    The temporary name keeps the suffix, since writers choose the format by it, and holds the process id, so that
    two processes that make the same file don't disturb each other. After an error it is removed; a process that is
    killed leaves it behind, with a name that `TEMPORARY` matches. Raises `InputError` when the disk is full.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.stem}.{os.getpid()}.tmp{path.suffix}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        with open(temporary, "rb") as written:
            os.fsync(written.fileno())
        temporary.replace(path)
    except Exception as error:
        if not _for_lack_of_space(error, path.parent):
            raise
        raise InputError(
            f"{path} can't be written: the disk is full; make room (`snakemake prune_images` lists images that nothing "
            "needs any more), then start again: what was finished stays"
        ) from error
    finally:
        temporary.unlink(missing_ok=True)


def _for_lack_of_space(error: Exception, folder: Path) -> bool:
    """Whether a write failed on a full disk. Some libraries tell this in their text alone, some (numpy) not at all."""
    if any(text in str(error) for text in DISK_FULL):
        return True
    return isinstance(error, OSError) and error.errno is None and shutil.disk_usage(folder).free < LEAST_FREE
