"""Bounds on distances against float64, counts of pairs that are decided in float64, and hard cases by brute force."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import cdist

from diagen.diversity import balls, manifold, pair_bounds
from diagen.diversity.manifold import diversity
from diagen.diversity.pair_bounds import PairBounds, blocks
from tests.unit.diversity.brute_force import brute_force, figures


def clusters(rs: np.random.RandomState, count: int, width: int, size: float) -> np.ndarray:
    """Points of 20 clusters of the given size, some hundred apart."""
    return np.random.RandomState(9).randn(20, width)[rs.randint(0, 20, count)] * 100 + size * rs.randn(count, width)


def hard_sets(count: int, width: int) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Real and synthetic points, float32."""
    rs = np.random.RandomState(3)
    real, synthetic = rs.randn(2, count, width)
    outlying, also_outlying = real.copy(), synthetic.copy()
    outlying[7] *= 100
    also_outlying[-1] *= 100
    drawn = rs.randint(0, count // 20, (2, count))
    sets = {
        "plain": (real, synthetic),
        "one outlier each": (outlying, also_outlying),
        "tight clusters": (clusters(rs, count, width, 0.01), clusters(rs, count, width, 0.01)),
        "wide clusters": (clusters(rs, count, width, 1), clusters(rs, count, width, 1)),
        "duplicates": (real[drawn[0]], np.concatenate([synthetic[drawn[1][: count // 2]], real[: count // 2]])),
        "a few images again and again": (real, synthetic[np.arange(count) % 3]),
        "near duplicates": (real, synthetic[drawn[0]] * (1 + 1e-7 * rs.randn(count, width))),
        "a narrow set inside": (real, synthetic * 0.3),
        "far from zero": (real + 1000, synthetic + 1000),
        "corners of a cube": (np.sign(real), np.sign(synthetic)),
    }
    return {name: (left.astype(np.float32), right.astype(np.float32)) for name, (left, right) in sets.items()}


NAMES = list(hard_sets(40, 2))


@pytest.fixture
def settled(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The numbers of pairs that are decided in float64."""
    counts: list[int] = []
    pair_distances = pair_bounds.pair_distances

    def counting(left: np.ndarray, right: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        counts.append(len(rows))
        return pair_distances(left, right, rows, columns)

    for module in (balls, manifold):
        monkeypatch.setattr(module, "pair_distances", counting)
    return counts


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("width", [3, 64])
def test_hard_sets_equal_brute_force(name: str, width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pair_bounds, "BLOCK", 100)
    real, synthetic = hard_sets(330, width)[name]
    for k in (1, 5, 40):
        assert figures(real, synthetic, k) == pytest.approx(brute_force(real, synthetic, k), abs=0)


@pytest.mark.parametrize("name", NAMES)
def test_few_pairs_are_decided_in_float64(name: str, settled: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    """These are the neighbors that determine a radius, and pairs at that distance; there are few others."""
    monkeypatch.setattr(pair_bounds, "BLOCK", 256)
    real, synthetic = hard_sets(1500, 384)[name]
    diversity(real, synthetic, [3, 5])
    needed = neighbors_and_ties(real, synthetic) + neighbors_and_ties(synthetic, real)
    assert sum(settled) <= 1.25 * needed + 100 + (1500**2 / 75 if name == "near duplicates" else 0)


def neighbors_and_ties(points: np.ndarray, others: np.ndarray) -> int:
    """The pairs of distinct points up to the 5th nearest, and of other points at the distance of the 3rd or 5th."""
    distinct, others = np.unique(points, axis=0), np.unique(others, axis=0)
    own = cdist(distinct, distinct, "sqeuclidean")
    radii = np.sort(own, axis=1)[:, np.minimum([3, 5], len(distinct) - 1)]
    ties = np.isclose(cdist(distinct, others, "sqeuclidean")[..., None], radii[:, None], rtol=1e-9, atol=0)
    return int((own <= radii[:, 1:]).sum() - len(distinct) + ties.any(axis=2).sum())


@pytest.mark.parametrize("name", ["plain", "one outlier each", "far from zero", "tight clusters", "wide clusters"])
def test_float64_products_are_used_for_clusters_alone(name: str) -> None:
    real, _ = hard_sets(1500, 384)[name]
    floors = -balls.balls(real, [5]).squared[:, 0] / 2
    bounds = PairBounds(real, real)
    bounds.above(slice(0, 750), slice(750, 1500), floors, floors)
    assert bounds.kind is (np.float64 if "clusters" in name else np.float32)


@settings(deadline=None, max_examples=60)
@given(
    st.integers(0, 2**32 - 1),
    st.integers(1, 400),
    st.sampled_from([1e-25, 1e-12, 1.0, 1e12, 1e25]),
    st.sampled_from([0.0, 1.0, 1e4]),
    st.sampled_from([np.float32, np.float64]),
)
def test_bounds_enclose_distances(seed: int, width: int, scale: float, offset: float, kind: type) -> None:
    rs = np.random.RandomState(seed)
    lengths = 10.0 ** rs.randint(-3, 3, (2, 30, 1))
    left, right = (scale * (lengths * rs.randn(2, 30, width) + offset)).astype(kind)
    right[:5] = left[:5]
    bounds = PairBounds(left, right)
    exact = -((left[:, None].astype(np.longdouble) - right[None].astype(np.longdouble)) ** 2).sum(-1) / 2
    anywhere = np.full(30, -np.inf)
    for products in (bounds.kind, np.float64):
        bounds._use(products)
        for pairs in bounds.above(slice(0, 30), slice(0, 30), anywhere, anywhere):
            assert len(pairs.row) == 900
            distances = exact[pairs.row, pairs.column]
            assert (pairs.lower <= distances).all() and (distances <= pairs.upper).all()
        own = PairBounds(left, left)
        own._use(products)
        among = -((left[:, None].astype(np.longdouble) - left[None].astype(np.longdouble)) ** 2).sum(-1) / 2
        np.fill_diagonal(among, -np.inf)
        assert (np.sort(own.closest(slice(0, 30), 4), axis=1) <= np.sort(among, axis=1)[:, -4:]).all()


@pytest.mark.parametrize("scale", [1e-30, 1e-20, 1e15, 1e25])
def test_values_that_underflow_or_overflow_in_float32(scale: float, recwarn: pytest.WarningsRecorder) -> None:
    real, synthetic = (np.float32(scale) * points for points in hard_sets(60, 8)["plain"])
    assert figures(real, synthetic, 3) == pytest.approx(brute_force(real, synthetic, 3), abs=0)
    assert not recwarn.list


def test_blocks_cover_all_rows_in_order() -> None:
    for count in (1, 2, 2047, 2048, 2049, 5000):
        covered = blocks(count)
        assert [row for part in covered for row in range(count)[part]] == list(range(count))
        assert max(part.stop - part.start for part in covered) <= pair_bounds.BLOCK


@pytest.mark.parametrize("name", ["plain", "tight clusters", "a narrow set inside"])
def test_memory_does_not_hold_all_pairs(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A matrix of 4000 x 4000 float32 numbers has 64 MB."""
    monkeypatch.setattr(pair_bounds, "BLOCK", 128)
    real, synthetic = hard_sets(4000, 16)[name]
    tracemalloc.start()
    try:
        diversity(real, synthetic, [3])
        assert tracemalloc.get_traced_memory()[1] < 24e6
    finally:
        tracemalloc.stop()


def test_pairs_at_equal_distances_do_not_pile_up(settled: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    """Bounds exclude none of the 160,000 pairs."""
    monkeypatch.setattr(pair_bounds, "BLOCK", 50)
    assert (balls.balls(np.eye(400, dtype=np.float32), [1, 4]).squared == 2).all()
    assert sum(settled) >= 400 * 399
    assert max(settled) <= balls.WAITING * 4 * 400 + 2 * 50 * 50
