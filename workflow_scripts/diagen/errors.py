"""Errors that a user can fix. Their text names the place (file, line or key), the problem, and the remedy."""


class InputError(Exception):
    """Input from the user is unusable. Programs print the text in one line, without a traceback."""


class Problem(str):
    """One line of a report that collects all problems before it raises. Its text is no part of any fingerprint."""

    __slots__ = ()
