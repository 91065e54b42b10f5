"""Mistakes of a user are told in a sentence, without a traceback."""


class InputError(Exception):
    """Something that a user gave can't be used. The text names the file, what is wrong, and the remedy."""
