"""Mistakes of a user are told in a sentence, without a traceback."""

import sys
from collections.abc import Callable


class InputError(Exception):
    """Something that a user gave can't be used. The text names the file, what is wrong, and the remedy."""


def run(main: Callable[[], None]) -> None:
    """Call a program's `main`; an `InputError` is printed to standard error and ends the program with status 2."""
    try:
        main()
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
