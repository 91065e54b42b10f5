"""Arguments that the programs of bench/ share."""

import argparse
import errno
import os
import tempfile
from pathlib import Path


def output_file(text: str) -> Path:
    """The path of a file to write; creates its folder. Raises `ArgumentTypeError` if no file can be written there.

    For programs that write only after minutes of measurement.
    """
    path = Path(text)
    try:
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path.parent):
            pass
    except OSError as error:
        raise argparse.ArgumentTypeError(
            f"cannot write {text!r} ({error.strerror}). Name a file in a folder that you may write to"
        ) from None
    return path
