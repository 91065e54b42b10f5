"""Two-way intervals: of a mean over draws of training photos (seeds) and over test images, which all seeds share.

Seeds and images are crossed, as readers and cases are in multi-reader multi-case studies (Gallas et al. 2009,
https://doi.org/10.1080/03610920802610084). Both variances contain the interaction of seeds and images, so that the
interval is conservative. Numbers of shots are fixed, not sampled: average over them before, never count them as
repetitions. docs/statistics.md has the formulas and an example.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtr, stdtrit

Numbers = NDArray[np.float64]
Counts = NDArray[np.int64]
NEGLIGIBLE = 1e-20
"""A variance of fractions below this is a rounding error of zero."""
DIFFERENCE = (-1.0, 1.0)
ACCURACY = (0.0, 1.0)


@dataclass(frozen=True)
class Estimates:
    """Means `[...]` of `by_seed` `[..., seeds]`, and the variances of their two sources of chance, each `[...]`.

    `variance_images` and `variance_seeds` (0 for one seed) are those of the mean. `interaction` is the part of both
    that seeds and images have together, for a single seed; it is unknown, and 0, for one seed. `freedom` are the
    degrees of freedom of `variance_images`, which is NaN without any. `images` are the numbers of images, and
    `equal_images` those of a test set with classes of equal size that would be as precise.
    """

    by_seed: Numbers
    variance_images: Numbers
    variance_seeds: Numbers
    interaction: Numbers
    freedom: Numbers
    images: Numbers
    equal_images: Numbers

    @property
    def mean(self) -> Numbers:
        """The estimates: means over seeds, `[...]`."""
        return np.asarray(self.by_seed.mean(axis=-1))

    @property
    def seeds(self) -> int:
        """The number of seeds."""
        return self.by_seed.shape[-1]

    @property
    def variance(self) -> Numbers:
        """The variances of the estimates, `[...]`."""
        return self.variance_images + self.variance_seeds

    @property
    def df(self) -> Numbers:
        """Satterthwaite's degrees of freedom of `variance`, `[...]`; NaN where nothing varies."""
        return degrees_of_freedom(self.variance_images, self.variance_seeds, self.freedom, self.seeds)

    def flat(self) -> "Estimates":
        """The same estimates in one row, `[n]`."""
        own = {field.name: getattr(self, field.name).reshape(-1) for field in fields(self)[1:]}
        return Estimates(self.by_seed.reshape(-1, self.seeds), **own)


def joined(parts: Sequence[Estimates]) -> Estimates:
    """Several rows of estimates `[n]` as one."""
    return Estimates(*(np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(Estimates)))


def estimate(values: NDArray, counts: Counts) -> tuple[Estimates, Estimates]:
    """Class-balanced means of `values` `[..., seeds, images]`: over all classes `[...]`, and per class `[..., C]`.

    Images are sorted by class, and `counts` `[C]` are their numbers, at least 1 each. A class with one image has no
    variance of its own and gets the pooled one of the other classes; if all classes have one image, the variance is
    that over all of them.
    """
    values = np.asarray(values, dtype=np.float64)
    seeds, n_classes = values.shape[-2], len(counts)
    of_image = values.mean(axis=-2)
    by_seed = _sums(values, counts) / counts  # [..., seeds, C]
    groups = counts if (counts > 1).any() else np.array([counts.sum()])
    freedom = int((groups - 1).sum())
    centers = _sums(of_image, groups) / groups
    between = _sums((of_image - np.repeat(centers, groups, axis=-1)) ** 2, groups)
    of_images = _variances(between, groups, freedom) / counts
    interaction = np.zeros_like(of_images)
    if seeds > 1:
        crossed = values - of_image[..., None, :]
        crossed = crossed - np.repeat(_sums(crossed, groups) / groups, groups, axis=-1)
        both = _sums((crossed**2).sum(axis=-2), groups) / (seeds - 1)
        interaction = _variances(both, groups, freedom) / counts

    numbers = np.broadcast_to(counts.astype(np.float64), of_images.shape)
    per_class = Estimates(
        by_seed=np.moveaxis(by_seed, -2, -1),
        variance_images=_cut(of_images),
        variance_seeds=_variance_of_mean(np.moveaxis(by_seed, -2, -1)),
        interaction=interaction,
        freedom=np.where(numbers > 1, numbers - 1, freedom),
        images=numbers,
        equal_images=numbers,
    )
    balanced = by_seed.mean(axis=-1)  # [..., seeds]
    shape = balanced.shape[:-1]
    overall = Estimates(
        by_seed=balanced,
        variance_images=_cut(of_images.sum(axis=-1) / n_classes**2),
        variance_seeds=_variance_of_mean(balanced),
        interaction=interaction.sum(axis=-1) / n_classes**2,
        freedom=np.full(shape, float(freedom)),
        images=np.full(shape, float(counts.sum())),
        equal_images=np.full(shape, n_classes**2 / (1 / counts).sum()),
    )
    return overall, per_class


def interval(
    found: Estimates, alpha: float | Numbers = 0.05, bounds: tuple[float, float] = DIFFERENCE
) -> tuple[Numbers, Numbers]:
    """The ends `[...]` of the interval with confidence 1 - `alpha`, within the `bounds` of a single value.

    Where no value differs from the others, nothing can be estimated from them. The interval then allows for a share of
    images of another kind that is small enough to be missed by chance, with probability `alpha` / 2, in a sample of
    this size. Without any degree of freedom (one image), it is all that is possible.
    """
    lowest, highest = bounds
    half, mean = np.asarray(alpha) / 2, found.mean
    with np.errstate(invalid="ignore"):
        reach = stdtrit(found.df, 1 - half) * np.sqrt(found.variance)
    missed = 1 - half ** (1 / found.equal_images)
    varies = found.variance > 0
    low = np.where(varies, mean - reach, mean - missed * (mean - lowest))
    high = np.where(varies, mean + reach, mean + missed * (highest - mean))
    known = np.isfinite(found.variance)
    return np.where(known, np.maximum(low, lowest), lowest), np.where(known, np.minimum(high, highest), highest)


def p_value(found: Estimates) -> Numbers:
    """Two-sided p `[...]` of the difference 0: the `alpha` at which the interval begins to exclude it."""
    size = np.abs(found.mean)
    with np.errstate(divide="ignore", invalid="ignore"):
        p = 2 * stdtr(found.df, -size / np.sqrt(found.variance))
    unvaried = np.minimum(1, 2 * (1 + size) ** -found.equal_images)
    return np.where(np.isfinite(found.variance), np.where(found.variance > 0, p, unvaried), 1.0)


def degrees_of_freedom(
    variance_images: Numbers, variance_seeds: Numbers, freedom: Numbers, seeds: int | Numbers
) -> Numbers:
    """Satterthwaite's degrees of freedom of the sum of two variances with `freedom` and `seeds` - 1 of their own."""
    with np.errstate(divide="ignore", invalid="ignore"):
        parts = variance_images**2 / freedom + variance_seeds**2 / np.maximum(1, np.asarray(seeds) - 1)
        return (variance_images + variance_seeds) ** 2 / parts


def _sums(terms: NDArray, counts: Counts) -> NDArray:
    """Sums `[..., groups]` of `terms` `[..., images]` over groups of neighbors of the sizes `counts`."""
    return np.add.reduceat(terms, np.concatenate(([0], np.cumsum(counts)[:-1])), axis=-1)


def _variances(squares: Numbers, counts: Counts, freedom: int) -> Numbers:
    """Variances `[..., groups]` from sums of squared deviations; of single images, the pooled one, NaN without any."""
    pooled = squares.sum(axis=-1, keepdims=True) / freedom if freedom else np.full_like(squares, np.nan)
    return np.where(counts > 1, squares / np.maximum(1, counts - 1), pooled)


def _variance_of_mean(by_seed: Numbers) -> Numbers:
    """The variance of the mean over seeds of `by_seed` `[..., seeds]`; 0 for one seed."""
    seeds = by_seed.shape[-1]
    return _cut(by_seed.var(axis=-1, ddof=1) / seeds) if seeds > 1 else np.zeros(by_seed.shape[:-1])


def _cut(variance: Numbers) -> Numbers:
    return np.where(variance < NEGLIGIBLE, 0.0, variance)
