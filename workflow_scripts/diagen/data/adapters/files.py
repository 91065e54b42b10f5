"""Helpers of adapters: the image files of a folder, and whether a path is inside the dataset."""

import os
from pathlib import Path

from diagen.errors import Problem

SYSTEM_FILES = ("Thumbs.db", "desktop.ini")


def is_hidden(path: Path) -> bool:
    """Whether adapters ignore the file or folder: its name begins with a dot, or an operating system created it."""
    return path.name.startswith(".") or path.name in SYSTEM_FILES


def image_files(folder: Path, problems: list[Problem]) -> list[Path]:
    """The files of a class folder, sorted; entries that cannot be image files are added to `problems`."""
    files = []
    for path in sorted(folder.iterdir()):
        if is_hidden(path):
            continue
        if path.is_dir():
            problems.append(Problem(f"{path}: folder inside a class folder; move its images into `{folder}`"))
        elif path.exists() and not path.is_file():
            problems.append(Problem(f"{path}: a pipe, a socket or a device, not a file; remove it"))
        elif not fits_tables(path.as_posix()):
            problems.append(
                Problem(f"{path.as_posix()!r}: the name is not UTF-8 or contains a carriage return; rename the file")
            )
        else:
            files.append(path)
    return files


def is_outside(path: Path, root: Path) -> bool:
    """Whether `path`, with links followed, is outside of `root`; `root` itself may be a link."""
    return not Path(os.path.realpath(path)).is_relative_to(os.path.realpath(root))


def missing_folder(root: Path) -> Problem | None:
    """The problem that a dataset's folder does not exist, or None."""
    return None if root.is_dir() else Problem(f"{root}: no such folder; correct `root` or create the folder")


def fits_tables(name: str) -> bool:
    """Whether tables can contain the file name.

    They cannot contain lone surrogates, to which Python decodes bytes that are not UTF-8, or carriage returns, which
    older versions of Python read as the end of a row.
    """
    return "\r" not in name and not any("\ud800" <= letter <= "\udfff" for letter in name)
