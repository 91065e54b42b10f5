"""Errors that a user can fix. Their text names the place (file, line or key), the problem, and the remedy."""

import shlex
from pathlib import Path


class InputError(Exception):
    """Input from the user is unusable. Programs print the text in one line, without a traceback."""


class Problem(str):
    """One line of a report that collects all problems before it raises. Its text is no part of any fingerprint."""

    __slots__ = ()


def rm(*paths: Path) -> str:
    """The shell command that deletes `paths`, for the remedy in a message."""
    return f"rm {shlex.join(map(str, paths))}"
