"""Folders of one user on one machine, for locks and records that the user's processes share."""

import errno
import os
import tempfile
from pathlib import Path


def own_folder(name: str) -> Path:
    """Return the user's folder `diagen-<name>-<user id>` in the system's temporary folder; created if missing.

    Raises `PermissionError`, with the folder as its file name, when it belongs to another user, or others can write to
    it.
    """
    folder = Path(tempfile.gettempdir()) / f"diagen-{name}-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    status = folder.lstat()
    if folder.is_symlink() or status.st_uid != os.getuid() or status.st_mode & 0o022:
        raise PermissionError(errno.EPERM, "belongs to another user, or others can write to it", str(folder))
    return folder
