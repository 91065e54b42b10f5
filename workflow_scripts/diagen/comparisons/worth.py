"""How many more real photos per class a method is worth: where the curve of a baseline reaches its accuracy.

Between measured numbers of shots, the curve is linear in their log2. It is never extended: what lies beyond its end is
`more than`.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from diagen.comparisons.intervals import NEGLIGIBLE, Counts, Estimates, Numbers, estimate, interval

STEPS = 256
"""Points per segment of the curve at which the interval is computed; ends between two of them are interpolated."""


@dataclass(frozen=True)
class Worth:
    """`photos` that a method with `shots` is worth per class beyond its shots; negative if it costs some.

    `low` and `high`, also counted from `shots`, enclose all numbers of shots of the curve at which the two-way interval
    of the difference holds 0; `high` is NaN if the curve ends before them. With `beyond`, the method is better than the
    rest of the curve, and `photos` is how far that reaches. If the curve is better from its start on, `photos` is how
    far back that is, and `low` is NaN.
    """

    shots: int
    photos: float
    low: float
    high: float
    beyond: bool


def worth(
    method: NDArray[np.bool_], baseline: NDArray[np.bool_], shots: Sequence[int], counts: Counts
) -> Iterator[Worth]:
    """The worth of a method at each number of shots; none with a single number.

    `method` and `baseline` `[shots, seeds, images]` are correct predictions, `shots` their numbers, and `counts` those
    of the images of each class, by which images are sorted.
    """
    order = np.argsort(shots)
    numbers = [shots[index] for index in order]
    curve = baseline[order].astype(np.float64)
    if len(numbers) < 2:
        return
    for number, own in zip(numbers, method[order].astype(np.float64), strict=True):
        points, differences = _along(own, curve, numbers, counts)
        yield _inverted(number, points, differences.mean, *interval(differences))


def sentence(found: Worth, sample: str) -> str:
    """The worth in words, as a cost if negative. `sample` is what it rests on, such as `3 seeds, 120 test photos`."""
    if not found.beyond and round(found.photos, 1) < 0:
        return _cost(found, sample)
    low = "below the curve" if math.isnan(found.low) else _number(found.low)
    high = "beyond the curve" if math.isnan(found.high) else _number(found.high)
    based = f"(95 % CI {low} to {high}; {sample})"
    if found.beyond and found.photos == 0:
        return f"The curve ends at {found.shots} shots, below this method: its worth is unknown {based}."
    if found.beyond:
        return f"Worth more than {_number(found.photos)} photos per class, where the curve ends {based}."
    if math.isnan(found.low) and found.photos == 0:
        return f"Worth no photos: the curve starts above it {based}."
    return f"Worth {_number(found.photos)} photos per class {based}."


def _cost(found: Worth, sample: str) -> str:
    """The sentence on a negative worth; its interval counts costs too, from the least to the largest."""
    least = "beyond the curve" if math.isnan(found.high) else _number(-found.high)
    most = "below the curve" if math.isnan(found.low) else _number(-found.low)
    based = f"(95 % CI {least} to {most}; {sample})"
    if math.isnan(found.low):
        return f"Costs at least {_number(-found.photos)} photos per class, where the curve begins {based}."
    return f"Costs {_number(-found.photos)} photos per class {based}."


def _number(photos: float) -> str:
    """A number of photos with one digit; never `-0.0`."""
    return f"{round(photos, 1) + 0:.1f}"


def _along(own: Numbers, curve: Numbers, numbers: Sequence[int], counts: Counts) -> tuple[Numbers, Estimates]:
    """Numbers of shots `[points]` along the curve, and the differences of a method to it there.

    In a segment the difference is (1 - l) a + l b for its differences a and b to both ends, so that variances at all l
    follow from those of a, b and a + b.
    """
    ends = own - curve
    one, _ = estimate(ends, counts)
    both, _ = estimate(ends[:-1] + ends[1:], counts)
    share = np.linspace(0, 1, STEPS + 1)

    def mixed(of_ends: Numbers, of_sums: Numbers) -> Numbers:
        """Quadratic forms `[segments * points]` of the mixtures, from those of the ends and of their sums."""
        first, second = of_ends[:-1, None], of_ends[1:, None]
        product = (of_sums[:, None] - first - second) / 2
        form = (1 - share) ** 2 * first + share**2 * second + 2 * share * (1 - share) * product
        return np.where(form < NEGLIGIBLE, 0.0, form).reshape(-1)

    by_seed = (1 - share)[:, None] * one.by_seed[:-1, None] + share[:, None] * one.by_seed[1:, None]
    size = share.size * len(both.mean)
    logs = np.log2(numbers)
    points = 2 ** ((1 - share) * logs[:-1, None] + share * logs[1:, None]).reshape(-1)
    return points, Estimates(
        by_seed=by_seed.reshape(size, -1),
        variance_images=mixed(one.variance_images, both.variance_images),
        variance_seeds=mixed(one.variance_seeds, both.variance_seeds),
        interaction=np.zeros(size),
        freedom=np.full(size, one.freedom[0]),
        images=np.full(size, one.images[0]),
        equal_images=np.full(size, one.equal_images[0]),
    )


def _inverted(shots: int, points: Numbers, means: Numbers, lows: Numbers, highs: Numbers) -> Worth:
    """The worth at `shots` from the differences along the curve and the ends of their intervals, each `[points]`."""
    here = int(np.abs(points - shots).argmin())
    beyond = is_below = False
    if means[here] >= 0:
        behind = np.flatnonzero(means[here:] <= 0)
        beyond = not behind.size
        crossing = points[-1] if beyond else _zero(points, means, here + int(behind[0]))
    else:
        before = np.flatnonzero(means[: here + 1] >= 0)
        is_below = not before.size
        crossing = points[0] if is_below else _zero(points, means, int(before[-1]) + 1)
    held = np.flatnonzero((lows <= 0) & (highs >= 0))
    if held.size:
        low = _zero(points, lows, int(held[0])) if held[0] > 0 else points[0]
        is_last = held[-1] == len(points) - 1
        high = math.nan if is_last else _zero(points, highs, int(held[-1]) + 1)
    elif (lows > 0).all():
        low, high = points[-1], math.nan
    elif (highs < 0).all():
        low, high = math.nan, points[0]
    else:  # the interval is narrower than a step
        low = high = crossing
    return Worth(
        shots,
        photos=float(crossing) - shots,
        low=math.nan if is_below else float(low) - shots,
        high=math.nan if beyond else float(high) - shots,
        beyond=beyond,
    )


def _zero(points: Numbers, values: Numbers, index: int) -> float:
    """Where `values` cross zero between the points before and at `index`; the latter if they do not."""
    if index == 0 or values[index - 1] == values[index]:
        return float(points[index])
    share = values[index - 1] / (values[index - 1] - values[index])
    return float(points[index - 1] + min(1.0, max(0.0, share)) * (points[index] - points[index - 1]))
