"""What adapters ask of a file system: the image files of a folder, and whether a path stays in the dataset."""

import os
from pathlib import Path

LEFT_BY_SYSTEMS = ("Thumbs.db", "desktop.ini")


def is_hidden(path: Path) -> bool:
    """Whether a file or folder is passed over: its name begins with a dot, or an operating system left it there."""
    return path.name.startswith(".") or path.name in LEFT_BY_SYSTEMS


def image_files(folder: Path, problems: list[str]) -> list[Path]:
    """The files of a class folder, sorted; what can't be one of them is told in `problems`."""
    files = []
    for path in sorted(folder.iterdir()):
        if is_hidden(path):
            continue
        if path.is_dir():
            problems.append(f"`{path}` is a folder inside a class folder; put its images into `{folder}`")
        elif path.exists() and not path.is_file():
            problems.append(f"`{path}` is a pipe, a socket or a device, not a file; remove it")
        elif not in_tables(path.as_posix()):
            problems.append(
                f"{path.as_posix()!r} has a name that is not UTF-8 text, or holds a carriage return; rename it"
            )
        else:
            files.append(path)
    return files


def leads_out(path: Path, root: Path) -> bool:
    """Whether `path` lies outside of `root` once links are followed; `root` itself may be a link."""
    return not Path(os.path.realpath(path)).is_relative_to(os.path.realpath(root))


def no_folder(root: Path) -> str | None:
    """The sentence that says that a dataset's folder isn't there."""
    return (
        None if root.is_dir() else f"there is no folder `{root}`; correct the dataset's `root` or put the images there"
    )


def in_tables(name: str) -> bool:
    """Whether tables can hold the name: undecodable bytes of a file name come as lone surrogates, and of a carriage
    return older versions of Python make the end of a row."""
    return "\r" not in name and not any("\ud800" <= letter <= "\udfff" for letter in name)
