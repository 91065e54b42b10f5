"""Precision, recall, density and coverage of synthetic images in a feature space. Free of torch.

Precision and recall: Kynkaanniemi et al. 2019 (arXiv 1904.06991); density and coverage: Naeem et al. 2020
(arXiv 2002.09797). Matrix products bound the distances of all pairs, with a proven bound on their error; pairs within
the bound are decided in float64 by one function, which is symmetric and exact for equal points. The results therefore
equal those of a float64 brute force for any block size and number of threads, in O(n) memory.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from diagen.diversity.balls import Balls, balls
from diagen.diversity.pair_bounds import Floats, PairBounds, Pairs, Points, Rows, blocks, pair_distances
from diagen.errors import InputError


@dataclass(frozen=True)
class Diversity:
    """The four metrics at one k; precision, recall and coverage are in [0, 1], density is at least 0."""

    k: int
    precision: float
    recall: float
    density: float
    coverage: float


@dataclass(frozen=True)
class Memberships:
    """Memberships of `m` synthetic and `n` real points in each other's balls, at one k.

    `inside` `[m]`: the synthetic point is in the closed ball of at least one real point. `containing` `[m]`: the number
    of real points' open balls that contain it. `covering` `[n]`: the total share of synthetic points in the real
    point's open ball. `reaching` `[n]`: the total share of those whose closed ball contains the real point.
    """

    inside: NDArray[np.bool_]
    containing: Rows
    covering: Floats
    reaching: Floats


def diversity(real: Points, synthetic: Points, ks: Sequence[int]) -> list[Diversity]:
    """Precision, recall, density and coverage of `synthetic` `[m, D]` against `real` `[n, D]`, for each k of `ks`.

    A point's radius is the distance to its k-th nearest neighbor in its own set. Precision is the share of synthetic
    points in the closed ball of at least one real point; recall swaps the roles. Density is the number of real points'
    open balls that contain a synthetic point, over k, on average; coverage is the share of real points whose open ball
    contains a synthetic point. Raises `InputError` when a set has no more than k points or a value is not finite.
    """
    return [
        Diversity(
            k=k,
            precision=float(found.inside.mean()),
            recall=float((found.reaching > 0).mean()),
            density=float(found.containing.sum() / (k * len(synthetic))),
            coverage=float((found.covering > 0).mean()),
        )
        for k, found in zip(ks, _memberships(real, synthetic, np.ones(len(synthetic)), ks), strict=True)
    ]


def weighted_diversity(
    real: Points, synthetic: Points, weights: NDArray[np.float64], ks: Sequence[int]
) -> list[Diversity]:
    """The four metrics of a synthetic set `[m, D]` whose points are drawn in proportion to `weights` > 0 `[m]`.

    Radii are those of `diversity`. The values are expectations, exact and without sampling: precision and density of
    one draw, recall and coverage of m draws with replacement. A real point is reached by at least one of them with
    probability 1 - (1 - W)^m, where W is the total share of the synthetic points whose closed ball contains it
    (recall), or which are in its open ball (coverage). Equal weights give the precision and density of `diversity`, but
    smaller recall and coverage, since m draws miss some of the m points. Errors as in `diversity`.
    """
    shares = weights / weights.sum()
    return [
        Diversity(
            k=k,
            precision=min(1.0, float(shares[found.inside].sum())),  # the sum of shares may round to more than 1
            recall=float(_drawn(found.reaching, len(synthetic)).mean()),
            density=float((shares * found.containing).sum() / k),
            coverage=float(_drawn(found.covering, len(synthetic)).mean()),
        )
        for k, found in zip(ks, _memberships(real, synthetic, shares, ks), strict=True)
    ]


def _drawn(shares: Floats, draws: int) -> Floats:
    """The probability that at least one of a number of `draws` is of a part with these `shares`, 1 - (1 - W)^m."""
    with np.errstate(divide="ignore"):  # of a share of 1, whose logarithm is -inf
        return -np.expm1(draws * np.log1p(-np.minimum(shares, 1)))  # sums of shares may round to more than 1


def _memberships(real: Points, synthetic: Points, shares: Floats, ks: Sequence[int]) -> list[Memberships]:
    """Memberships at each k; `shares` `[m]` > 0 are those of the synthetic points."""
    for name, points in (("real", real), ("synthetic", synthetic)):
        if not np.isfinite(points).all():
            raise InputError(
                f"features of the {name} images: some values are not finite. Delete their features.npy and run "
                "Snakemake again"
            )
    of_real, of_synthetic = balls(real, ks), balls(synthetic, ks)
    found = _distinct_memberships(of_real, of_synthetic, np.bincount(of_synthetic.member, shares).astype(np.float64))
    return [
        Memberships(
            inside=each.inside[of_synthetic.member],
            containing=each.containing[of_synthetic.member],
            covering=each.covering[of_real.member],
            reaching=each.reaching[of_real.member],
        )
        for each in found
    ]


def _distinct_memberships(real: Balls, synthetic: Balls, shares: Floats) -> list[Memberships]:
    """Memberships of the distinct points, at each k; sums over synthetic points are in their order."""
    n, m = len(real.points), len(synthetic.points)
    found = [Memberships(np.zeros(m, bool), np.zeros(m, np.int64), np.zeros(n), np.zeros(n)) for _ in real.squared[0]]
    bounds = PairBounds(real.points, synthetic.points)
    floors, synthetic_floors = -real.squared.max(axis=1) / 2, -synthetic.squared.max(axis=1) / 2
    for rows in blocks(n):
        for columns in blocks(m):
            in_real, in_synthetic = bounds.above(rows, columns, floors, synthetic_floors)
            radii = real.squared[in_real.row]
            squared = _decisive(in_real, radii, real.points, synthetic.points)
            for each, radius in zip(found, radii.T, strict=True):
                each.inside[in_real.column[squared <= radius]] = True
                center, point = in_real.row[squared < radius], in_real.column[squared < radius]
                np.add.at(each.containing, point, real.copies[center])
                np.add.at(each.covering, center, shares[point])
            radii = synthetic.squared[in_synthetic.column]
            squared = _decisive(in_synthetic, radii, real.points, synthetic.points)
            for each, radius in zip(found, radii.T, strict=True):
                closed = squared <= radius
                np.add.at(each.reaching, in_synthetic.row[closed], shares[in_synthetic.column[closed]])
    return found


def _decisive(pairs: Pairs, radii: Floats, left: Points, right: Points) -> Floats:
    """Numbers `[p]` on the same side of the squared `radii` `[p, len(ks)]` as the pairs' squared distances.

    These are the distances themselves where the bounds leave a radius undecided.
    """
    squared = -2 * pairs.lower
    near = ((radii >= -2 * pairs.upper[:, None]) & (radii <= squared[:, None])).any(axis=1)
    squared[near] = pair_distances(left, right, pairs.row[near], pairs.column[near])
    return squared
