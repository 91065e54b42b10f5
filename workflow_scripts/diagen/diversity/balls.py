"""Balls around points that reach to the k-th nearest neighbor. Free of torch.

Equal points are collapsed first. Matrix products bound the distances of all pairs of distinct points; the few pairs
that may be among the nearest are compared in float64, so that radii equal those of a float64 brute force.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from itertools import combinations_with_replacement

import numpy as np

from diagen.diversity.pair_bounds import Floats, PairBounds, Pairs, Points, Rows, blocks, pair_distances
from diagen.errors import InputError

WAITING = 16  # pairs per neighbor that are kept until their distances are computed


@dataclass(frozen=True)
class Balls:
    """Distinct points `[n, D]` and the squared radii `[n, len(ks)]` of the balls around them.

    `copies` `[n]` is the number of equal points, `member` `[N]` the distinct point that equals each of all points.
    """

    points: Points
    copies: Rows
    member: Rows
    squared: Floats


def balls(points: Points, ks: Sequence[int]) -> Balls:
    """Balls around `points` `[N, D]` whose radii are the distances to the k-th nearest neighbor, excluding itself.

    Raises `InputError` unless each k is in 1..N-1.
    """
    if min(ks) < 1 or max(ks) >= len(points):
        raise InputError(
            f"`diversity.k`: k = {max(ks)} needs more than {max(ks)} images, but there are {len(points)}. "
            "Lower `diversity.k`"
        )
    distinct, copies, member = _distinct(points)
    squared = np.zeros((len(distinct), len(ks)))
    if len(distinct) == 1:
        return Balls(distinct, copies, member, squared)
    row, column, distance = _nearest(distinct, min(max(ks), len(distinct) - 1))
    reached = np.cumsum(copies[column])
    before = np.concatenate([[0], reached])[np.searchsorted(row, row)]
    reached += copies[row] - 1 - before  # neighbors up to this distance, with the other copies of the point itself
    for number, k in enumerate(ks):
        kth = (reached >= k) & (reached - copies[column] < k)
        squared[row[kth], number] = distance[kth]
    return Balls(distinct, copies, member, squared)


def _distinct(points: Points) -> tuple[Points, Rows, Rows]:
    """Distinct points in the order of their first copies, their numbers of copies, and the distinct point of each."""
    points = np.ascontiguousarray(points + 0.0)  # 0.0 for -0.0, so that equal points have equal bytes
    rows = points.view(np.dtype((np.void, points[0].nbytes))).ravel()
    _, first, member, copies = np.unique(rows, return_index=True, return_inverse=True, return_counts=True)
    order = np.argsort(first)
    return points[first[order]], copies[order], np.argsort(order)[member]


def _nearest(points: Points, k: int) -> tuple[Rows, Rows, Floats]:
    """Row, column and squared distance of the k nearest others of each of the distinct `points`, the nearest first."""
    bounds, parts = PairBounds(points, points), blocks(len(points))
    # Lower bounds on -d^2 / 2 of k neighbors of each point; the first of them is the smallest.
    best = np.concatenate([bounds.closest(block, k) for block in parts])
    found: list[Pairs] = []
    for left, right in combinations_with_replacement(parts, 2):
        by_row, by_column = bounds.above(left, right, best[:, 0], best[:, 0])
        if left == right:  # `closest` has their bounds
            found.append(by_row.take(np.flatnonzero(by_row.row != by_row.column)))
        else:
            for pairs in (by_row, by_column.swapped()):
                _improve(best, pairs.row, pairs.lower)
                found.append(pairs)
        if sum(len(pairs.row) for pairs in found) > WAITING * k * len(points):  # many points at about the same distance
            found = [_compared(points, found, best[:, 0], k)[0]]
    nearest, distance = _compared(points, found, best[:, 0], k)
    return nearest.row, nearest.column, distance


def _compared(points: Points, found: Sequence[Pairs], floors: Floats, k: int) -> tuple[Pairs, Floats]:
    """The k nearest of the pairs of each row whose -d^2 / 2 may be at least its floor, with their squared distances."""
    pairs = Pairs(*(np.concatenate([getattr(part, field.name) for part in found]) for field in fields(Pairs)))
    pairs = pairs.take(np.flatnonzero(pairs.upper >= floors[pairs.row]))
    distance = pair_distances(points, points, pairs.row, pairs.column)
    order = np.lexsort((distance, pairs.row))
    row = pairs.row[order]
    order = order[np.arange(len(row)) - np.searchsorted(row, row) < k]
    return pairs.take(order), distance[order]


def _improve(best: Floats, rows: Rows, lower: Floats) -> None:
    """Replace the k bounds of each row in `best` `[n, k]` by the k largest of them and of the bounds `lower` `[p]`."""
    if len(rows) == 0:
        return
    k = best.shape[1]
    order = np.argsort(rows, kind="stable")
    changed, starts, counts = np.unique(rows[order], return_index=True, return_counts=True)
    table = np.full((len(changed), k + counts.max()), -np.inf)
    table[:, :k] = best[changed]
    place = k + np.arange(len(rows)) - np.repeat(starts, counts)
    table[np.repeat(np.arange(len(changed)), counts), place] = lower[order]
    best[changed] = np.partition(table, -k, axis=1)[:, -k:]
