"""Characters of external text: which ones prompts cannot contain, which count as equal, and how messages print any."""

import re
import unicodedata
from collections.abc import Sequence

CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
"""Control characters, and lone surrogates (Python decodes invalid bytes of file names to them)."""
JOINERS = "\u200c\u200d"
"""Invisible joiners that Persian, Hindi and emoji need."""
PLAIN = str.maketrans(dict.fromkeys("\u2018\u2019\u201a\u201b\u2032\u02bc\uff07", "'"))
PLAIN |= dict.fromkeys(map(ord, "\u201c\u201d\u201e\u201f\u2033"), '"')
PLAIN |= dict.fromkeys(map(ord, "\u2010\u2011\u2012\u2013\u2014\u2015\u2212"), "-")
"""Typographic apostrophes, quotes and hyphens, one character for one."""


def composed(text: str) -> str:
    """The text in composed Unicode (NFC): file systems and editors write `é` as one character or as two."""
    return unicodedata.normalize("NFC", text)


def plain(text: str) -> str:
    """The text, of the same length, with typewriter quotes and hyphens for the typographic ones of editors."""
    return text.translate(PLAIN)


def shortened(texts: Sequence[str], most: int) -> str:
    """The first `most` of the texts, separated by commas, and the number of the others."""
    more = f" and {len(texts) - most} more" if len(texts) > most else ""
    return ", ".join(texts[:most]) + more


def visible(text: str) -> str:
    """The text for a message, with invisible characters except line breaks and joiners escaped by code point."""
    return "".join(
        character if character.isprintable() or character == "\n" or character in JOINERS else ascii(character)[1:-1]
        for character in text
    )
