"""Errors that a user can fix. Their text names the place (file, line or key), the problem, and the remedy."""

import re
import shlex
from pathlib import Path

SYNTHETIC = re.compile(r"images/[0-9a-f]{2}/[0-9a-f]{64}\.png$")  # as diagen.files.store_layout names them


class InputError(Exception):
    """Input from the user is unusable. Programs print the text in one line, without a traceback."""


class Problem(str):
    """One line of a report that collects all problems before it raises. Its text is no part of any fingerprint."""

    __slots__ = ()


def rm(*paths: Path, recursive: bool = False) -> str:
    """The shell command that deletes `paths`, for the remedy in a message."""
    return shlex.join(["rm", *["-r"] * recursive, *map(str, paths)])


def delete_and_rerun(path: Path) -> str:
    """The remedy for a result that does not fit the others: Snakemake makes it again."""
    return f"Delete the file and run Snakemake again: {rm(path)}"


def unreadable_image(path: Path | str, remedy: str) -> str:
    """The `remedy` for an image that cannot be read, unless it is a synthetic one, which is made again."""
    if not SYNTHETIC.search(str(path)):
        return remedy
    return (
        "it is a synthetic image: to make it again, type what `.venv/bin/snakemake --cores 1 verify_results` with the "
        "same --configfile prints"
    )


def wider_dtype(dtype: object) -> str:
    """The remedy for values of a diffusion model that are not finite with the data type `dtype`."""
    match str(dtype).removeprefix("torch."):
        case "float32":
            return "Restore the files of `models.diffusion`, whose weights may be damaged, or name another model"
        case "bfloat16":
            return "Set `dtype: float32` in `models.diffusion` and run Snakemake again"
        case _:
            return "Set `dtype: bfloat16` or `dtype: float32` in `models.diffusion` and run Snakemake again"


def summary(error: BaseException) -> str:
    """Return the text of an error in one line of at most 200 characters."""
    match error:
        case SystemExit():
            text = f"it ends Python by sys.exit({error})"
        case KeyError():  # its text is the key alone
            text = f"KeyError: {error}"
        case _:
            text = str(error)
    return " ".join(text.split())[:200] or type(error).__name__
