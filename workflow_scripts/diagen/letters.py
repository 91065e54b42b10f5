"""Characters of external text: which ones file names and prompts cannot contain, and how messages print any text."""

import re

CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
"""Control characters, and lone surrogates (Python decodes invalid bytes of file names to them)."""
JOINERS = "\u200c\u200d"
"""Invisible joiners that Persian, Hindi and emoji need."""


def visible(text: str) -> str:
    """The text for a message, with invisible characters except line breaks and joiners escaped by code point."""
    return "".join(
        character if character.isprintable() or character == "\n" or character in JOINERS else ascii(character)[1:-1]
        for character in text
    )
