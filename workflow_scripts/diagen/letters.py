"""Letters of text from outside: which can't be in a file's name or a prompt, and how a message shows any text."""

import re

CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
"""Control characters, and halves of letters, which is how undecodable bytes of a file's name come."""
JOINERS = "\u200c\u200d"
"""Letters without a look of their own that Persian, Hindi and emoji are written with."""


def visible(text: str) -> str:
    """The text for a message: all invisible letters but line breaks are written by their number."""
    return "".join(
        letter if letter.isprintable() or letter == "\n" or letter in JOINERS else ascii(letter)[1:-1]
        for letter in text
    )
