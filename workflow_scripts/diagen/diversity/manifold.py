"""Precision, recall, density and coverage of synthetic images in a feature space. Free of torch.

Precision and recall: Kynkaanniemi et al. 2019 (arXiv 1904.06991); density and coverage: Naeem et al. 2020
(arXiv 2002.09797). FAISS finds candidate pairs in float32, with a proven bound on its error; pairs within the bound are
decided in float64 by one function, which is symmetric and exact for equal points. The results therefore equal those of
a float64 brute force for any block size and number of threads, in O(n) memory.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import faiss
import numpy as np
from numpy.typing import NDArray

from diagen.errors import InputError

Points = NDArray[np.float32] | NDArray[np.float64]
QUERIES = 512  # points per FAISS search
PAIRS = 16384  # pairs per float64 comparison
SPARE = 8  # neighbors searched beyond the k-th, so that rounding rarely requires an exact search


@dataclass(frozen=True)
class Diversity:
    """The four metrics at one k; precision, recall and coverage are in [0, 1], density is at least 0."""

    k: int
    precision: float
    recall: float
    density: float
    coverage: float


@dataclass(frozen=True)
class Membership:
    """Membership of points in balls around centers.

    `inside` `[points]`: the point is in at least one closed ball. `balls` `[points]`: the number of open balls that
    contain the point. `covered` `[centers]`: the center's open ball contains at least one point.
    """

    inside: NDArray[np.bool_]
    balls: NDArray[np.int64]
    covered: NDArray[np.bool_]


def squared_distances(left: Points, right: Points) -> NDArray[np.float64]:
    """Squared Euclidean distances of paired rows `[n, D]`, summed in float64 in the same order for every n."""
    difference = left.astype(np.float64) - right.astype(np.float64)
    return np.add.reduce(difference * difference, axis=1)


def squared_radii(points: Points, ks: Sequence[int]) -> NDArray[np.float64]:
    """Squared distances `[n, len(ks)]` of each point of `[n, D]` to its k-th nearest neighbor, excluding itself.

    Raises `InputError` unless each k is in 1..n-1.
    """
    count, largest = len(points), max(ks)
    if min(ks) < 1 or largest >= count:
        raise InputError(
            f"`diversity.k`: k = {largest} needs more than {largest} images, but there are {count}. Lower `diversity.k`"
        )
    centered = _centered(points, points)
    index = faiss.IndexFlatL2(centered.shape[1])
    index.add(centered)
    # FAISS computes |x|^2 + |y|^2 - 2 x y; the terms' magnitudes sum to at most four times the largest squared norm.
    tolerance = _tolerance(centered, 4 * _squares(centered).max())
    searched = min(count, largest + 1 + SPARE)
    radii = np.empty((count, len(ks)))
    wanted = np.array(ks) - 1
    for start in range(0, count, QUERIES):
        rows = np.arange(start, min(start + QUERIES, count))
        found, neighbors = index.search(centered[rows], searched)
        exact = _pair_distances(points, points, np.repeat(rows, searched), neighbors.ravel()).reshape(-1, searched)
        exact[neighbors == rows[:, None]] = np.inf
        exact.sort(axis=1)
        # Points that were not found are at least as far as the last one found, up to rounding.
        certain = (searched == count) | (found[:, -1] - tolerance >= exact[:, largest - 1])
        radii[rows] = exact[:, wanted]
        for row in rows[~certain]:
            distances = _distances_to_all(points, row)
            radii[row] = np.sort(np.delete(distances, row))[wanted]
    return radii


def membership(centers: Points, squared: NDArray[np.float64], points: Points) -> Membership:
    """Membership of `points` `[m, D]` in the balls around `centers` `[n, D]` with `squared` radii `[n]`."""
    inside = np.zeros(len(points), dtype=bool)
    balls = np.zeros(len(points), dtype=np.int64)
    covered = np.zeros(len(centers), dtype=bool)
    for point, center, opened in _pairs(centers, squared, points):
        inside[point] = True
        balls += np.bincount(point[opened], minlength=len(points))
        covered[center[opened]] = True
    return Membership(inside, balls, covered)


def _pairs(
    centers: Points, squared: NDArray[np.float64], points: Points
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]]:
    """Yield, in blocks, all (point, center) with the point in the center's closed ball, and whether in the open one.

    A point y is in the ball of x when 2 x y + r^2 - |x|^2 - |y|^2 >= 0: an inner product of (2x, r^2 - |x|^2, 1) and
    (y, 1, -|y|^2). FAISS searches for pairs above minus the tolerance; pairs within the tolerance are decided in
    float64.
    """
    x, y = _centered(centers, centers), _centered(points, centers)
    x_square, y_square = _squares(x), _squares(y)
    power = squared - x_square
    database = np.column_stack([2 * x, power, np.ones(len(x))]).astype(np.float32)
    queries = np.column_stack([y, np.ones(len(y)), -y_square]).astype(np.float32)
    terms = 2 * np.sqrt(x_square.max() * y_square.max()) + x_square.max() + squared.max() + y_square.max()
    tolerance = _tolerance(database, terms)
    index = faiss.IndexFlatIP(database.shape[1])
    index.add(database)
    for start in range(0, len(points), QUERIES):
        limits, slack, center = index.range_search(queries[start : start + QUERIES], float(-tolerance))
        ends = limits.astype(np.int64)
        point = start + np.repeat(np.arange(len(ends) - 1), ends[1:] - ends[:-1])
        closed = slack > tolerance
        opened = closed.copy()
        near = np.flatnonzero(~closed)
        distances = _pair_distances(points, centers, point[near], center[near])
        closed[near] = distances <= squared[center[near]]
        opened[near] = distances < squared[center[near]]
        yield point[closed], center[closed], opened[closed]


def diversity(real: Points, synthetic: Points, ks: Sequence[int]) -> list[Diversity]:
    """Precision, recall, density and coverage of `synthetic` `[m, D]` against `real` `[n, D]`, for each k of `ks`.

    A point's radius is the distance to its k-th nearest neighbor in its own set. Precision is the share of synthetic
    points in the closed ball of at least one real point; recall swaps the roles. Density is the number of real points'
    open balls that contain a synthetic point, over k, on average; coverage is the share of real points whose open ball
    contains a synthetic point. Raises `InputError` when a set has no more than k points or a value is not finite.
    """
    real_radii, synthetic_radii = _both_radii(real, synthetic, ks)
    results = []
    for column, k in enumerate(ks):
        forward = membership(real, real_radii[:, column], synthetic)
        backward = membership(synthetic, synthetic_radii[:, column], real)
        results.append(
            Diversity(
                k=k,
                precision=float(forward.inside.mean()),
                recall=float(backward.inside.mean()),
                density=float(forward.balls.sum() / (k * len(synthetic))),
                coverage=float(forward.covered.mean()),
            )
        )
    return results


def weighted_diversity(
    real: Points, synthetic: Points, weights: NDArray[np.float64], ks: Sequence[int]
) -> list[Diversity]:
    """The four metrics of a synthetic set `[m, D]` whose points are drawn in proportion to `weights` > 0 `[m]`.

    Radii are those of `diversity`. Precision and density are expectations over one draw. Recall and coverage consider m
    draws: recall is the mean over real points of min(1, expected number of draws whose closed ball contains the point),
    coverage the mean of min(1, expected number of draws in the point's open ball). The values are exact, without
    sampling; equal weights give those of `diversity`. Errors as in `diversity`.
    """
    real_radii, synthetic_radii = _both_radii(real, synthetic, ks)
    shares = weights / weights.sum()
    expected = shares * len(synthetic)  # draws of each point among m draws
    results = []
    for column, k in enumerate(ks):
        forward = membership(real, real_radii[:, column], synthetic)
        covering, reaching = np.zeros(len(real)), np.zeros(len(real))
        for point, center, opened in _pairs(real, real_radii[:, column], synthetic):
            _add(covering, center[opened], expected[point[opened]], point[opened])
        for point, center, _ in _pairs(synthetic, synthetic_radii[:, column], real):
            _add(reaching, point, expected[center], center)
        results.append(
            Diversity(
                k=k,
                precision=min(1.0, float(shares[forward.inside].sum())),  # the sum of shares may round to more than 1
                recall=float(np.minimum(reaching, 1).mean()),
                density=float((shares * forward.balls).sum() / k),
                coverage=float(np.minimum(covering, 1).mean()),
            )
        )
    return results


def _add(totals: NDArray[np.float64], rows: NDArray[np.int64], values: NDArray[np.float64], order: NDArray) -> None:
    """Add `values` to `totals[rows]` in the given order, so that rounding does not depend on the order of the pairs."""
    sequence = np.argsort(order, kind="stable")
    np.add.at(totals, rows[sequence], values[sequence])


def _both_radii(real: Points, synthetic: Points, ks: Sequence[int]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    for name, points in (("real", real), ("synthetic", synthetic)):
        if not np.isfinite(points).all():
            raise InputError(
                f"features of the {name} images: some values are not finite. Delete their features.npy and run "
                "Snakemake again"
            )
    return squared_radii(real, ks), squared_radii(synthetic, ks)


def _centered(points: Points, reference: Points) -> NDArray[np.float32]:
    """Float32 points relative to the mean of `reference`: distances are unchanged, and smaller norms round less."""
    return np.ascontiguousarray(points - reference.mean(axis=0, dtype=np.float64), dtype=np.float32)


def _squares(points: NDArray[np.float32]) -> NDArray[np.float64]:
    return np.einsum("nd,nd->n", points, points, dtype=np.float64)


def _tolerance(points: NDArray[np.float32], terms: float) -> float:
    """Bound on the error of a float32 inner product whose terms' magnitudes sum to `terms`, including underflow.

    The bound is doubled and allows for the rounding of the inputs.
    """
    kind = np.finfo(np.float32)
    return (points.shape[1] + 16) * float(kind.eps * terms + kind.tiny)


def _pair_distances(
    left: Points, right: Points, rows: NDArray[np.int64], columns: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Squared distances of `left[rows]` to `right[columns]`, computed in blocks of pairs."""
    distances = np.empty(len(rows))
    for start in range(0, len(rows), PAIRS):
        block = slice(start, start + PAIRS)
        distances[block] = squared_distances(left[rows[block]], right[columns[block]])
    return distances


def _distances_to_all(points: Points, row: int) -> NDArray[np.float64]:
    return _pair_distances(points, points, np.full(len(points), row), np.arange(len(points)))
