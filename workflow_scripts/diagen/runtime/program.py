"""Mistakes of a user are told in a sentence, without a traceback."""

import sys
from collections.abc import Callable

from diagen.errors import InputError
from diagen.letters import visible
from diagen.runtime.run_lock import end_with_run


def run(main: Callable[[], None]) -> None:
    """Call a program's `main`; a mistake of the user is printed to standard error and ends the program with status 2.

    Such a mistake is an `InputError`, or a file that can't be opened. A program that a run of the workflow has started
    ends with it.
    """
    end_with_run()
    try:
        main()
    except InputError as error:
        print(f"error: {visible(str(error))}", file=sys.stderr)
    except OSError as error:
        if error.filename is None:
            raise
        print(
            f"error: {visible(str(error.filename))}: {error.strerror}; check the path and its permissions",
            file=sys.stderr,
        )
    else:
        return
    sys.exit(2)
