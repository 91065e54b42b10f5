"""Run a program and report user errors in one line, without a traceback."""

import gc
import signal
import sys
from collections.abc import Callable

from diagen.errors import InputError
from diagen.letters import visible
from diagen.runtime.run_lock import end_with_run


def run(main: Callable[[], None]) -> None:
    """Call a program's `main`; print a user error to standard error in one line and exit with status 2.

    User errors are `InputError`, and `OSError` with the name of a file. Ctrl-C ends a program without a message, with
    the status of a shell. A program that a run of the workflow started ends when the run ends.
    """
    end_with_run()
    # What is imported stays, and searching all of it for garbage takes a sixth of the time until a model is loaded. New
    # objects are searched as often as before.
    gc.set_threshold(*gc.get_threshold()[:2], 1_000)
    try:
        main()
    except InputError as error:
        print(f"error: {visible(str(error))}", file=sys.stderr)
    except OSError as error:
        if error.filename is None:
            raise
        print(
            f"error: {visible(str(error.filename))}: {error.strerror}. Correct the path or its permissions",
            file=sys.stderr,
        )
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)
    else:
        return
    sys.exit(2)
