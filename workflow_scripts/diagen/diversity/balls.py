"""Balls around points that reach to the k-th nearest neighbor. Free of torch.

Equal points are collapsed first. Matrix products bound the distances of all pairs of distinct points; the few pairs
that may be among the nearest are compared in float64, so that radii equal those of a float64 brute force.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from diagen.diversity.pair_bounds import Floats, PairBounds, Points, Rows, blocks, pair_distances
from diagen.errors import InputError


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
    # The distinct points among the k nearest neighbors are at most k.
    row, column = _nearest(distinct, min(max(ks), len(distinct) - 1))
    distance = pair_distances(distinct, distinct, row, column)
    order = np.lexsort((distance, row))
    row, column, distance = row[order], column[order], distance[order]
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


def _nearest(points: Points, k: int) -> tuple[Rows, Rows]:
    """Pairs of a row and a column that contain the k nearest others of each of the distinct `points`, and few more."""
    if k == 0:
        return np.empty(0, np.int64), np.empty(0, np.int64)
    bounds, parts = PairBounds(points, points), blocks(len(points))
    # Lower bounds on -d^2 / 2 of k neighbors of each point; the first of them is the smallest.
    best = np.concatenate([bounds.closest(block, k) for block in parts])
    nowhere = np.full(len(points), np.inf)
    rows, columns, upper = [], [], []
    for block in parts:
        pairs, _ = bounds.above(block, block, best[:, 0], nowhere)
        others = pairs.row != pairs.column
        rows.append(pairs.row[others])
        columns.append(pairs.column[others])
        upper.append(pairs.upper[others])
    for left, right in combinations(parts, 2):
        by_row, by_column = bounds.above(left, right, best[:, 0], best[:, 0])
        _improve(best, by_row.row, by_row.lower)
        _improve(best, by_column.column, by_column.lower)
        rows += [by_row.row, by_column.column]
        columns += [by_row.column, by_column.row]
        upper += [by_row.upper, by_column.upper]
    row, column = np.concatenate(rows), np.concatenate(columns)
    near = np.concatenate(upper) >= best[row, 0]
    return row[near], column[near]


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
