"""Precision, recall, density and coverage of synthetic images in a feature space. Free of torch.

Precision and recall: Kynkaanniemi et al. 2019 (arXiv 1904.06991); density and coverage: Naeem et al. 2020
(arXiv 2002.09797). FAISS finds the pairs that may count, in float32 and with a proven bound on its error; whatever lies
within the bound is decided in float64 by one function, which is exact for equal points and symmetric. So the figures
are those of a float64 brute force whatever the block size or the number of threads, in memory of O(n).
"""

import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass

import faiss
import numpy as np
from numpy.typing import NDArray

from diagen.errors import InputError
from diagen.seeds import stable_seed

Points = NDArray[np.float32] | NDArray[np.float64]
QUERIES = 512  # points per FAISS search
PAIRS = 16384  # pairs per float64 comparison
SPARE = 8  # neighbors searched beyond the k-th, so that rounding seldom forces an exact search


@dataclass(frozen=True)
class Diversity:
    """The four figures at one k; precision, recall and coverage are shares in [0, 1], density is at least 0."""

    k: int
    precision: float
    recall: float
    density: float
    coverage: float


@dataclass(frozen=True)
class Membership:
    """Which points lie in the balls around centers.

    `inside` `[points]`: in at least one closed ball. `balls` `[points]`: number of open balls that hold the point.
    `covered` `[centers]`: the center's open ball holds at least one point.
    """

    inside: NDArray[np.bool_]
    balls: NDArray[np.int64]
    covered: NDArray[np.bool_]


@dataclass(frozen=True)
class LabeledFeatures:
    """Features `[n, D]` and the class of each row, and how often each is drawn (`[n]`, at least 0) if not equally."""

    features: Points
    classes: Sequence[str]
    weights: NDArray[np.float64] | None = None

    def __post_init__(self) -> None:
        """Refuse features of another table."""
        if len(self.features) != len(self.classes):
            raise InputError(
                f"there are features of {len(self.features)} images, but the table lists {len(self.classes)}: "
                "run extract_features again"
            )

    def take(self, rows: Sequence[int]) -> "LabeledFeatures":
        """The given rows, in the given order."""
        weights = None if self.weights is None else self.weights[rows]
        return LabeledFeatures(self.features[rows], [self.classes[row] for row in rows], weights)

    def drawn(self) -> "LabeledFeatures":
        """The rows that are ever drawn."""
        return self if self.weights is None else self.take(np.flatnonzero(self.weights > 0).tolist())

    def of_class(self, name: str) -> "LabeledFeatures":
        """The rows of one class."""
        return self.take([row for row, label in enumerate(self.classes) if label == name])

    def subsample(self, at_most: int | None, *seed_parts: str | int) -> "LabeledFeatures":
        """`at_most` rows drawn without replacement by a seed, in their order; all when there are no more."""
        if at_most is None or len(self.classes) <= at_most:
            return self
        order = np.random.RandomState(stable_seed(*seed_parts, "subsample")).permutation(len(self.classes))
        return self.take(sorted(order[:at_most].tolist()))


def squared_distances(left: Points, right: Points) -> NDArray[np.float64]:
    """Squared Euclidean distances of rows `[n, D]` to rows `[n, D]`, summed in float64 in one order for every n."""
    difference = left.astype(np.float64) - right.astype(np.float64)
    return np.add.reduce(difference * difference, axis=1)


def squared_radii(points: Points, ks: Sequence[int]) -> NDArray[np.float64]:
    """Squared distances `[n, len(ks)]` of each of `points` `[n, D]` to its k-th nearest neighbor, itself excluded.

    Raises `InputError` unless each k is in 1..n-1.
    """
    count, largest = len(points), max(ks)
    if min(ks) < 1 or largest >= count:
        raise InputError(f"diversity.k: k = {largest} needs more than {largest} images, there are {count}; lower k")
    centered = _centered(points, points)
    index = faiss.IndexFlatL2(centered.shape[1])
    index.add(centered)
    # FAISS adds |x|^2 + |y|^2 - 2 x y, each of whose terms is at most the square of the largest norm.
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
        # All that was not found is at least as far as the last found, give or take the rounding.
        certain = (searched == count) | (found[:, -1] - tolerance >= exact[:, largest - 1])
        radii[rows] = exact[:, wanted]
        for row in rows[~certain]:
            distances = _distances_to_all(points, row)
            radii[row] = np.sort(np.delete(distances, row))[wanted]
    return radii


def membership(centers: Points, squared: NDArray[np.float64], points: Points) -> Membership:
    """Which `points` `[m, D]` lie in the balls around `centers` `[n, D]` with `squared` radii `[n]`."""
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
    """All (point, center) with the point in the center's closed ball, and whether it is in the open one, in blocks.

    A point y is in the ball of x when 2 x y + r^2 - |x|^2 - |y|^2 >= 0: an inner product of (2x, r^2 - |x|^2, 1) and
    (y, 1, -|y|^2), which FAISS searches for pairs above minus the tolerance; pairs within it are decided in float64.
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
        point = start + np.repeat(np.arange(len(limits) - 1), np.diff(limits.astype(np.int64)))
        closed = slack > tolerance
        opened = closed.copy()
        near = np.flatnonzero(~closed)
        distances = _pair_distances(points, centers, point[near], center[near])
        closed[near] = distances <= squared[center[near]]
        opened[near] = distances < squared[center[near]]
        yield point[closed], center[closed], opened[closed]


def diversity(real: Points, synthetic: Points, ks: Sequence[int]) -> list[Diversity]:
    """Precision, recall, density and coverage of `synthetic` `[m, D]` against `real` `[n, D]`, for each k of `ks`.

    A point's radius is its distance to its k-th nearest neighbor in its own set. Precision is the share of synthetic
    points in the closed ball of at least one real point, recall the same with the roles swapped; density and coverage
    count open balls. Raises `InputError` when a set has no more than k points or a value is not finite.
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
    """The four figures of a synthetic set `[m, D]` whose points are drawn in proportion to `weights` > 0 `[m]`.

    Radii are those of `diversity`. Precision and density are expectations over a draw. Recall asks how often m draws
    reach a real point: it counts by the expected number of draws in whose closed balls it lies, at most by 1; coverage
    likewise by the expected number of draws inside its own open ball. No sample is taken, so there is no chance in it:
    equal weights give the figures of `diversity`, and what is hardly drawn hardly counts. Errors as `diversity`.
    """
    real_radii, synthetic_radii = _both_radii(real, synthetic, ks)
    shares = weights / weights.sum()
    expected = shares * len(synthetic)  # of each image, when as many are drawn as there are
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
                precision=min(1.0, float(shares[forward.inside].sum())),  # a sum of shares may round to more
                recall=float(np.minimum(reaching, 1).mean()),
                density=float((shares * forward.balls).sum() / k),
                coverage=float(np.minimum(covering, 1).mean()),
            )
        )
    return results


def _add(totals: NDArray[np.float64], rows: NDArray[np.int64], values: NDArray[np.float64], order: NDArray) -> None:
    """Add `values` to `totals[rows]` in the given order, so that the sums round alike however pairs were found."""
    sequence = np.argsort(order, kind="stable")
    np.add.at(totals, rows[sequence], values[sequence])


def _both_radii(real: Points, synthetic: Points, ks: Sequence[int]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    for name, points in (("real", real), ("synthetic", synthetic)):
        if not np.isfinite(points).all():
            raise InputError(f"the features of the {name} images hold values that are not finite: extract them again")
    return squared_radii(real, ks), squared_radii(synthetic, ks)


def diversity_by_scope(real: LabeledFeatures, synthetic: LabeledFeatures, ks: Sequence[int]) -> list[dict]:
    """The entries of `diversity.json`: `pooled` at each k, then each class at each k that it has enough images for.

    With weights of the synthetic images the figures are those of `weighted_diversity`, over the images that are drawn.
    A class with k or fewer real or synthetic images is left out at that k and named on standard error. Raises
    `InputError` when all classes together have no more than k images.
    """
    synthetic = synthetic.drawn()
    entries = _entries("pooled", real, synthetic, ks)
    for name in sorted(set(real.classes) | set(synthetic.classes)):
        of_real, of_synthetic = real.of_class(name), synthetic.of_class(name)
        fewest = min(len(of_real.classes), len(of_synthetic.classes))
        possible = [k for k in ks if k < fewest]
        if len(possible) < len(ks):
            left_out = ", ".join(str(k) for k in ks if k not in possible)
            print(f"class {name} is left out at k = {left_out}: one of its sets has {fewest} images", file=sys.stderr)
        if possible:
            entries += _entries(name, of_real, of_synthetic, possible)
    return entries


def _entries(scope: str, real: LabeledFeatures, synthetic: LabeledFeatures, ks: Sequence[int]) -> list[dict]:
    counts = {"n_real": len(real.classes), "n_synthetic": len(synthetic.classes)}
    if synthetic.weights is None:
        results = diversity(real.features, synthetic.features, ks)
    else:
        results = weighted_diversity(real.features, synthetic.features, synthetic.weights, ks)
    return [
        {"k": result.k, "scope": scope, **{key: value for key, value in asdict(result).items() if key != "k"}, **counts}
        for result in results
    ]


def _centered(points: Points, reference: Points) -> NDArray[np.float32]:
    """Float32 points relative to the mean of `reference`: distances stay, and smaller norms round less."""
    return np.ascontiguousarray(points - reference.mean(axis=0, dtype=np.float64), dtype=np.float32)


def _squares(points: NDArray[np.float32]) -> NDArray[np.float64]:
    return np.einsum("nd,nd->n", points, points, dtype=np.float64)


def _tolerance(points: NDArray[np.float32], terms: float) -> float:
    """Bound on the error of a float32 inner product whose terms' magnitudes sum to `terms`, underflow included.

    Doubled, and with room for the rounding of its inputs.
    """
    kind = np.finfo(np.float32)
    return (points.shape[1] + 16) * float(kind.eps * terms + kind.tiny)


def _pair_distances(
    left: Points, right: Points, rows: NDArray[np.int64], columns: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Squared distances of `left[rows]` to `right[columns]`, a block of pairs at a time."""
    distances = np.empty(len(rows))
    for start in range(0, len(rows), PAIRS):
        block = slice(start, start + PAIRS)
        distances[block] = squared_distances(left[rows[block]], right[columns[block]])
    return distances


def _distances_to_all(points: Points, row: int) -> NDArray[np.float64]:
    everyone = np.arange(len(points))
    return _pair_distances(points, points, np.full(len(points), row), everyone)
