"""Helpers of adapters: the image files of a folder, and whether a path is inside the dataset."""

import os
from collections.abc import Iterator
from pathlib import Path

from diagen.data.adapters.interface import Listing
from diagen.errors import Problem
from diagen.letters import composed

SYSTEM_NAMES = frozenset(
    "__macosx thumbs.db ehthumbs.db desktop.ini icon\r @eadir #recycle $recycle.bin recycler lost+found".split(" ")
) | {"system volume information"}
"""Files and folders of operating systems and network storage, in lower case, besides hidden ones."""

SIDE_STREAMS = (":zone.identifier", ":encryptable")
"""Endings, in lower case, of the files beside photos in which WSL and archives keep what Windows notes on them."""


def is_hidden(path: Path) -> bool:
    """Whether adapters ignore the file or folder: its name begins with a dot, or an operating system created it."""
    name = path.name.casefold()
    return name.startswith(".") or name in SYSTEM_NAMES or name.endswith(SIDE_STREAMS)


def visible_entries(folder: Path, listing: Listing) -> Iterator[Path]:
    """Files and folders in `folder`, sorted; hidden ones are added to `listing.passed_over`."""
    for path in sorted(folder.iterdir()):
        if is_hidden(path):
            listing.passed_over.append(path.as_posix())
        else:
            yield path


def image_files(folder: Path, listing: Listing) -> list[Path]:
    """The files of a class folder, sorted; entries that cannot be image files are added to `listing.problems`."""
    files: dict[str, Path] = {}
    for path in visible_entries(folder, listing):
        name = composed(path.name)
        if path.is_dir():
            problem = f"{path}: folder inside a class folder; move its images into `{folder}`"
        elif path.exists() and not path.is_file():
            problem = f"{path}: a pipe, a socket or a device, not a file; remove it"
        elif not fits_tables(path.as_posix()):
            problem = f"{path.as_posix()!r}: the name is not UTF-8 or contains a carriage return; rename the file"
        elif name in files:
            problem = f"{same_name(files[name], path)}; rename or remove one of the files"
        else:
            files[name] = path
            continue
        listing.problems.append(Problem(problem))
    return list(files.values())


def same_name(one: Path, other: Path) -> str:
    """The problem that two files or folders have one name in different forms of Unicode."""
    return f"{ascii(one.as_posix())}, {ascii(other.as_posix())}: one name, `{composed(one.name)}`, in two Unicode forms"


class Spellings:
    """Finds files by names from tables, in whichever Unicode form the disk has them."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._folders: dict[Path, dict[str, str]] = {}

    def path(self, name: str) -> Path:
        """The path of the file `name` below the root, as spelled on disk; `name` itself if there is no such file."""
        exact = self.root / name
        if os.path.lexists(exact):
            return exact
        found = self.root
        for part in Path(name).parts:
            found /= self._names(found).get(composed(part), part)
        return found

    def _names(self, folder: Path) -> dict[str, str]:
        if folder not in self._folders:
            names = sorted(os.listdir(folder)) if os.path.isdir(folder) else []
            self._folders[folder] = {composed(name): name for name in names}
        return self._folders[folder]


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
