"""What a larger experiment could tell apart: the detectable difference, and the seeds or images that it takes."""

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from diagen.comparisons.intervals import Estimates, degrees_of_freedom

Numbers = NDArray[np.float64]
POWER = 0.8
MOST_SEEDS = 10_000
MOST_TIMES = 10_000.0
"""Searched number of seeds, and of times as many images."""


def detectable_difference(
    found: Estimates,
    *,
    seeds: int | Numbers | None = None,
    times_images: float | Numbers = 1.0,
    alpha: float | Numbers = 0.05,
    power: float = POWER,
) -> Numbers:
    """The difference `[...]` that an experiment like `found` finds with probability `power`, at the level `alpha`.

    With another number of `seeds` (default: as many) and `times_images` as many images of each class, the variances of
    `found` are divided into those of images, of seeds and of their interaction, each of which shrinks with its number.
    The difference is (t(1 - alpha / 2) + t(power)) times the standard error, and NaN where nothing varies. With
    one seed, nothing is known about others: only the number of images counts.
    """
    counted = found.seeds if seeds is None else seeds
    both = found.interaction
    if found.seeds == 1:
        images, of_seeds = found.variance_images / times_images, np.zeros_like(found.variance_images)
    else:
        own_images = np.maximum(0, found.variance_images - both / found.seeds)
        own_seeds = np.maximum(0, found.variance_seeds * found.seeds - both)
        images = (own_images + both / counted) / times_images
        of_seeds = (own_seeds + both / times_images) / counted
    df = degrees_of_freedom(images, of_seeds, found.freedom * times_images, counted)
    with np.errstate(invalid="ignore"):
        reach = (stdtrit(df, 1 - np.asarray(alpha) / 2) + stdtrit(df, power)) * np.sqrt(images + of_seeds)
    return np.where(images + of_seeds > 0, reach, np.nan)


def seeds_needed(found: Estimates, difference: float, alpha: float | Numbers = 0.05) -> Numbers:
    """The least number of seeds `[...]` that detects `difference` with these images; NaN if no number does.

    NaN too if `found` has one seed, which says nothing about others, or where nothing varies.
    """
    if found.seeds == 1:
        return np.full(found.mean.shape, np.nan)

    def is_enough(seeds: Numbers) -> NDArray[np.bool_]:
        return np.asarray(detectable_difference(found, seeds=seeds, alpha=alpha) <= difference)

    low, high = np.full(found.mean.shape, 1.0), np.full(found.mean.shape, float(MOST_SEEDS))
    possible = is_enough(high)
    while ((high - low) > 1).any():
        middle = np.floor((low + high) / 2)
        enough = is_enough(middle)
        low, high = np.where(enough, low, middle), np.where(enough, middle, high)
    return np.where(possible, high, np.nan)


def images_needed(found: Estimates, difference: float, alpha: float | Numbers = 0.05) -> Numbers:
    """The least number of images `[...]` that detects `difference` with these seeds; NaN if no number does.

    The shares of the classes stay as they are. Where nothing varies, it is the number with which the interval of
    `intervals.interval` reaches no farther than `difference`.
    """

    def is_enough(times: Numbers) -> NDArray[np.bool_]:
        return np.asarray(detectable_difference(found, times_images=times, alpha=alpha) <= difference)

    low, high = np.full(found.mean.shape, -2.0), np.full(found.mean.shape, np.log2(MOST_TIMES))
    possible = is_enough(2**high)
    for _ in range(30):
        middle = (low + high) / 2
        enough = is_enough(2**middle)
        low, high = np.where(enough, low, middle), np.where(enough, middle, high)
    unvaried = np.log(np.asarray(alpha) / 2) / np.log1p(-difference) / found.equal_images
    times = np.where(found.variance == 0, unvaried, np.where(possible, 2**high, np.nan))
    return np.ceil(found.images * times - 1e-6)
