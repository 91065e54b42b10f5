"""Numbers as the page writes them: percent, percentage points, intervals, counts. NaN is a dash."""

import re
from math import isnan

NONE = "–"
MINUS = "−"


def percent(fraction: float, digits: int = 1) -> str:
    """A fraction as a percentage without its sign, such as `83.2`."""
    return NONE if isnan(fraction) else f"{100 * fraction:.{digits}f}"


def rough(fraction: float) -> str:
    """A fraction as a percentage in about two digits: `97`, `4.2`, `0.03`, and `<0.01` below that."""
    value = 100 * fraction
    if value < 0.01:
        return "0" if value == 0 else "<0.01"
    return f"{value:.0f}" if value >= 9.95 else f"{value:.2g}"


def points(difference: float, digits: int = 1) -> str:
    """A difference of two fractions in percentage points, signed, such as `+3.2` or `−0.4`."""
    if isnan(difference):
        return NONE
    text = f"{abs(100 * difference):.{digits}f}"
    sign = "" if float(text) == 0 else MINUS if difference < 0 else "+"
    return sign + text


def with_minus(sentence: str) -> str:
    """A sentence of a table with the minus signs of the page in front of its negative numbers."""
    return re.sub(r"(?<!\S)-(?=\d)", MINUS, sentence)


def interval(low: float, high: float, *, signed: bool = False) -> str:
    """An interval of fractions in percent (of differences if `signed`), such as `1.1 to 5.3`; a dash if unknown."""
    if isnan(low) or isnan(high):
        return NONE
    write = points if signed else percent
    return f"{write(low)} to {write(high)}"


def listed(items: list[str], last: str = "and") -> str:
    """The items as a phrase: `a, b and c`."""
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} {last} {items[-1]}" if items else ""


def spaced(name: str) -> str:
    """A class name as people write it."""
    return name.replace("_", " ")
