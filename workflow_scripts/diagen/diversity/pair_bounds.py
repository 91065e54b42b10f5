"""Bounds on the distances of all pairs of points, from blocks of matrix products. Free of torch.

With a = x - c and b = y - c relative to a center c, half the negative squared distance, -d^2 / 2, is the inner
product of (a, -|a|^2 / 2, 1) and (b, 1, -|b|^2 / 2). With a machine epsilon e, its error is at most (D + 5) e (|a|^2
+ |b|^2) / 2 in any order of summation, including the rounding of a and b (Higham 2002, section 3.1); that of
`squared_distances`, which decides, is at most 24 e (|a|^2 + |b|^2) / 2 with the epsilon of float64. So each point has
a slack of its own, which is added to the product: the sum is an upper bound, and the sum minus twice the slack of
both points a lower one.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float32] | NDArray[np.float64]
Floats = NDArray[np.float64]
Rows = NDArray[np.int64]
BLOCK = 2048  # points on each side of a block of products: it fits the cache, and its threads rarely wait
PAIRS = 512  # pairs per float64 comparison, which stay in the cache
UNCERTAIN = 1 / 128  # share of undecided pairs in a block above which float64 products cost less than deciding them
HUGE = 1e30  # slack of points whose squares may overflow in float32


@dataclass(frozen=True)
class Pairs:
    """Pairs `[p]` of a row and a column, with an upper and a lower bound on -d^2 / 2 of each."""

    row: Rows
    column: Rows
    upper: Floats
    lower: Floats

    def take(self, chosen: Rows) -> "Pairs":
        """The pairs at the given places, in the given order."""
        return Pairs(self.row[chosen], self.column[chosen], self.upper[chosen], self.lower[chosen])

    def swapped(self) -> "Pairs":
        """The pairs with row and column exchanged."""
        return Pairs(self.column, self.row, self.upper, self.lower)


def squared_distances(left: Points, right: Points) -> Floats:
    """Squared Euclidean distances of paired rows `[n, D]`, summed in float64 in the same order for every n."""
    difference = left.astype(np.float64) - right.astype(np.float64)
    return np.add.reduce(difference * difference, axis=1)


def pair_distances(left: Points, right: Points, rows: Rows, columns: Rows) -> Floats:
    """Squared distances `[p]` of `left[rows]` to `right[columns]`, computed in blocks of pairs."""
    distances = np.empty(len(rows))
    for start in range(0, len(rows), PAIRS):
        block = slice(start, start + PAIRS)
        distances[block] = squared_distances(left[rows[block]], right[columns[block]])
    return distances


def blocks(count: int) -> list[slice]:
    """Slices of nearly equal length, at most `BLOCK`, that cover `count` >= 1 rows in order."""
    ends = np.linspace(0, count, -(-count // BLOCK) + 1).astype(int).tolist()
    return [slice(start, end) for start, end in zip(ends, ends[1:], strict=False)]


class PairBounds:
    """Bounds on -d^2 / 2 for the pairs of `left` `[n, D]` and `right` `[m, D]` points.

    Products are in float32 until a block has so many undecided pairs that float64 is cheaper (tight clusters that are
    far apart), and in float64 from there on.
    """

    def __init__(self, left: Points, right: Points) -> None:
        """Take the mean of `left` as the center."""
        self.left, self.right = left, right
        self.center: Floats = left.mean(axis=0, dtype=np.float64)
        self._use(np.float32)
        if not self.row_slack.max() + self.column_slack.max() < HUGE:
            self._use(np.float64)

    def closest(self, block: slice, k: int) -> Floats:
        """The k largest lower bounds `[len, k]` of each point of `block` and the others there, the k-th largest first.

        `left` and `right` are the same points. Where the block has too few, -inf stands for the rest.
        """
        slack = np.multiply(self.row_slack[block], 2, dtype=self.kind)
        lower = self.rows[block] @ self.columns[block].T
        lower -= slack[:, None]
        lower -= slack
        np.fill_diagonal(lower, -np.inf)
        found = np.full((len(lower), k), -np.inf)
        k = min(k, len(lower))
        found[:, -k:] = np.partition(lower, -k, axis=1)[:, -k:]
        return found

    def above(self, rows: slice, columns: slice, row_floors: Floats, column_floors: Floats) -> tuple[Pairs, Pairs]:
        """The pairs of a block whose -d^2 / 2 may be at least the floor of their row, and the floor of their column.

        `row_floors` `[n]` and `column_floors` `[m]` are those of all points. Pairs are sorted by row, then column.
        """
        upper = self.rows[rows] @ self.columns[columns].T
        by_row = self._pairs(upper, self._below(row_floors[rows])[:, None], rows, columns)
        by_column = self._pairs(upper, self._below(column_floors[columns]), rows, columns)
        undecided = max(
            np.count_nonzero(by_row.lower < row_floors[by_row.row]),
            np.count_nonzero(by_column.lower < column_floors[by_column.column]),
        )
        if undecided > UNCERTAIN * upper.size and self.kind is np.float32:
            self._use(np.float64)
            return self.above(rows, columns, row_floors, column_floors)
        return by_row, by_column

    def _use(self, kind: type[np.float32] | type[np.float64]) -> None:
        self.kind = kind
        self.rows, self.row_slack = self._factors(self.left)
        self.columns, self.column_slack = self._factors(self.right)
        self.columns[:, -2:] = self.columns[:, :-3:-1]

    def _factors(self, points: Points) -> tuple[Points, Floats]:
        """The left factors (a, slack - |a|^2 / 2, 1) `[n, D + 2]` of the products, and each point's slack `[n]`."""
        count, width = points.shape
        limits = np.finfo(self.kind)
        factors = np.ones((count, width + 2), self.kind)
        with np.errstate(over="ignore"):
            factors[:, :width] = points - self.center
            halves = np.einsum("nd,nd->n", factors[:, :width], factors[:, :width], dtype=np.float64) / 2
            slack = (width + 40) * (float(limits.eps) * halves + float(limits.tiny))
            factors[:, width] = slack - halves
        return factors, slack

    def _below(self, values: Floats) -> Points:
        """The values, rounded down to the precision of the products."""
        return np.nextafter(values.astype(self.kind), self.kind(-np.inf))

    def _pairs(self, upper: Points, floors: Points, rows: slice, columns: slice) -> Pairs:
        flat = np.flatnonzero(upper >= floors)
        row, column = np.divmod(flat, upper.shape[1])
        found = upper.ravel()[flat].astype(np.float64)
        row, column = row + rows.start, column + columns.start
        return Pairs(row, column, found, found - 2 * (self.row_slack[row] + self.column_slack[column]))
