"""Numbers with their nouns, as messages and the report print them."""


def count(number: int, noun: str, nouns: str | None = None) -> str:
    """A number with its noun in the right number: `1 seed`, `3 seeds`, `2 classes`; thousands are grouped."""
    return f"{number:,} {noun if number == 1 else nouns or noun + 's'}"
