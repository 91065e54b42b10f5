"""Mistakes of a user are told in a sentence, without a traceback."""

import sys
from collections.abc import Callable

from diagen.letters import visible
from diagen.runtime.run_lock import end_with_run


class InputError(Exception):
    """Something that a user gave can't be used. The text names the file, what is wrong, and the remedy."""
