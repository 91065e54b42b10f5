"""Many comparisons at once: Holm's correction with intervals that agree with it, and the sign-flip test over seeds."""

from itertools import product

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]
LEAST_SEEDS = 6
"""From this number of seeds on, the smallest possible p of a sign flip, 2 / 2^seeds, is below 0.05."""
MOST_ENUMERATED = 12
DRAWS = 9_999


def holm(p: Numbers) -> Numbers:
    """Holm's adjusted p values `[m]` of a family of tests (Holm 1979).

    Where one below 0.05 is a claim, at most 5 % of families contain a false claim.
    """
    order, ranks = _ranked(p)
    stepped = np.maximum.accumulate(p[order] * (len(p) - np.arange(len(p))))
    return np.minimum(1, stepped)[ranks]


def levels(p: Numbers, alpha: float = 0.05) -> Numbers:
    """For each test of a family, the `alpha` at which Holm's procedure decides about it, `[m]`.

    The test with the r-th smallest of m values p is decided at `alpha` / (m - r + 1); once one is not rejected, it and
    all others stay at its level. An interval at this level therefore excludes 0 exactly if Holm's procedure rejects.
    Bonferroni's level, `alpha` / m, would contradict it where only Holm's rejects.
    """
    order, ranks = _ranked(p)
    own = alpha / (len(p) - np.arange(len(p)))
    rejected = np.logical_and.accumulate(p[order] < own)
    stop = min(int(rejected.sum()), len(p) - 1)
    return np.where(rejected, own, own[stop])[ranks]


def sign_flip_p(differences: Numbers) -> Numbers:
    """Two-sided p `[...]` of the mean over seeds of `differences` `[..., seeds]`, by flipping their signs.

    It needs no distribution, and says nothing about other test images. NaN below `LEAST_SEEDS` seeds. All signs are
    enumerated up to `MOST_ENUMERATED` seeds; above, `DRAWS` of them are drawn with a fixed seed.
    """
    seeds = differences.shape[-1]
    if seeds < LEAST_SEEDS:
        return np.full(differences.shape[:-1], np.nan)
    if seeds <= MOST_ENUMERATED:
        signs = np.array(list(product((1.0, -1.0), repeat=seeds)))
    else:
        drawn = np.random.RandomState(0).choice((1.0, -1.0), size=(DRAWS, seeds))
        signs = np.concatenate((np.ones((1, seeds)), drawn))
    flipped = np.abs(differences @ signs.T)
    observed = np.abs(differences.sum(axis=-1, keepdims=True))
    return np.asarray((flipped >= observed - 1e-12).mean(axis=-1))


def _ranked(p: Numbers) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    order = np.argsort(p, kind="stable")
    return order, np.argsort(order, kind="stable")
