"""Answers in words: whether a method helps, by how much, how sure, and what would decide an open question."""

import math
from dataclasses import dataclass

RELEVANT = 0.02
"""A difference of accuracy that is worth finding: an open question is answered with what would decide it."""
IRRELEVANT = 0.01
"""A difference of accuracy that does not matter."""


@dataclass(frozen=True)
class Evidence:
    """A difference with its interval, and what it is based on.

    `is_adjusted`: the interval is corrected for the number of comparisons. `detectable` is the difference that would
    probably have been found, NaN if nothing varies; `seeds_needed` and `images_needed` find `RELEVANT`, and are NaN if
    no number does. With `folds`, images are the photos of all folds.
    """

    estimate: float
    low: float
    high: float
    seeds: int
    images: int
    is_adjusted: bool
    detectable: float
    seeds_needed: float
    images_needed: float
    folds: bool = False

    @property
    def answer(self) -> str:
        """One of `tables_file.ANSWERS`."""
        if self.low > 0:
            return "yes"
        if self.high < 0:
            return "hurts"
        return "same" if -IRRELEVANT <= self.low and self.high <= IRRELEVANT else "unclear"

    @property
    def verdict(self) -> str:
        """The answer as a sentence, or as two where one says what would decide the question."""
        based = f"{_points(self.low)} to {_points(self.high)}; {sample(self.seeds, self.images, folds=self.folds)}"
        interval = f"({'adjusted ' if self.is_adjusted else ''}95 % CI {based})"
        match self.answer:
            case "yes":
                return f"Yes, by {_points(self.estimate)} points {interval}."
            case "hurts":
                return f"No, it hurts, by {_points(-self.estimate)} points {interval}."
            case "same":
                return f"No difference that matters: {_points(self.estimate)} points {interval}."
            case _:
                return f"Can't tell: {_points(self.estimate)} points {interval}. {self._remedy()}"

    def _remedy(self) -> str:
        difference = f"a difference of {_points(RELEVANT, 0)} points"
        if self.detectable <= RELEVANT:
            return f"It is too close to zero; {difference} would have been found in 4 of 5 such experiments."
        repeats = "repeats" if self.folds else "seeds"
        ways = []
        if self.seeds_needed > self.seeds:
            ways.append(f"about {_rounded_up(self.seeds_needed)} {repeats}")
        if self.images_needed > self.images:
            ways.append(f"about {_rounded_up(self.images_needed)} {'' if self.folds else 'test '}photos")
        if not ways and math.isnan(self.detectable):
            return "A single photo says nothing about others."
        if not ways:
            return f"Neither more {repeats} nor more photos alone would decide {difference}."
        these = " for these training photos" if self.seeds == 1 else ""
        return f"It would take {' or '.join(ways)} to decide {difference}{these}."


def sample(seeds: int, images: int, *, folds: bool) -> str:
    """What a result is based on, such as `3 seeds, 120 test photos`; one seed says nothing about other photos."""
    photos = f"{images} {'' if folds else 'test '}photo{'s' if images != 1 else ''}"
    repeats = "repeat" if folds else "seed"
    if seeds == 1:
        return f"1 {repeats}, {photos}; for these training photos; another draw may differ"
    return f"{seeds} {repeats}s, {photos}"


def _points(fraction: float, digits: int = 1) -> str:
    """A fraction in percentage points; never `-0.0`."""
    text = f"{100 * fraction:.{digits}f}"
    return text.removeprefix("-") if float(text) == 0 else text


def _rounded_up(number: float) -> str:
    """A whole number with two significant digits, not below `number`."""
    step = 10 ** max(0, math.floor(math.log10(number)) - 1)
    return str(math.ceil(number / step) * step)
