"""What a method is worth in photos, against a search along the curve that computes each interval anew."""

import math

import numpy as np
import pytest

from diagen.comparisons.intervals import estimate, interval
from diagen.comparisons.worth import Worth, sentence, worth

COUNTS = np.array([20, 25, 30])


def right(random, rates, seeds=4):
    """Correct predictions `[shots, seeds, images]` with the given rates."""
    images = random.normal(0, 0.15, COUNTS.sum())
    return random.random((len(rates), seeds, COUNTS.sum())) < np.array(rates)[:, None, None] + images


def searched(own, curve, shots, k):
    """Mean and interval of the difference at `k` shots on the curve."""
    upper = max(1, next((index for index, number in enumerate(shots) if number >= k - 1e-9), len(shots) - 1))
    share = (math.log2(k) - math.log2(shots[upper - 1])) / (math.log2(shots[upper]) - math.log2(shots[upper - 1]))
    values = own - ((1 - share) * curve[upper - 1] + share * curve[upper])
    found, _ = estimate(values, COUNTS)
    return found.mean, *interval(found)


@pytest.mark.parametrize("seed", range(6))
def test_inversion(seed):
    random, shots = np.random.default_rng(seed), (2, 4, 8)
    curve = right(random, (0.5, 0.6, 0.72), seeds=1 + seed % 4)
    method = right(random, (0.55, 0.63, 0.7), seeds=1 + seed % 4)
    points = 2 ** np.linspace(1, 3, 401)
    for found, own in zip(worth(method, curve, shots, COUNTS), method, strict=True):
        along = np.array([searched(own.astype(float), curve.astype(float), shots, k) for k in points])
        held = points[(along[:, 1] <= 0) & (along[:, 2] >= 0)] - found.shots
        assert found.low == pytest.approx(held.min(), abs=0.05) or math.isnan(found.low)
        if math.isnan(found.high):
            assert found.beyond or held.max() == pytest.approx(8 - found.shots)
        else:
            assert found.high == pytest.approx(held.max(), abs=0.05)
        if not found.beyond and not math.isnan(found.low):
            mean = searched(own.astype(float), curve.astype(float), shots, found.shots + found.photos)[0]
            assert mean == pytest.approx(0, abs=1e-3)
            assert found.low - 1e-9 <= found.photos
            assert math.isnan(found.high) or found.photos <= found.high + 1e-9


def constant(rates, seeds=3):
    """Predictions whose rates are exact in each class of 20 images."""
    rows = [np.tile(np.arange(20) < round(20 * rate), 3) for rate in rates]
    return np.repeat(np.array(rows)[:, None], seeds, axis=1)


def of_constant(method, curve, shots=(2, 4, 8)):
    return list(worth(constant(method), constant(curve), shots, np.full(3, 20)))


def test_it_is_linear_in_log2_of_shots():
    first, second, third = of_constant((0.6, 0.6, 0.6), (0.5, 0.7, 0.9))
    assert (first.photos, second.photos) == (pytest.approx(2**1.5 - 2, abs=1e-2), pytest.approx(2**1.5 - 4, abs=1e-2))
    assert third.photos == pytest.approx(2**1.5 - 8, abs=1e-2)
    assert not (first.beyond or second.beyond or third.beyond)


def test_a_method_as_good_as_the_curve_is_worth_nothing():
    assert [found.photos for found in of_constant((0.5, 0.7, 0.9), (0.5, 0.7, 0.9))] == [0, 0, 0]


def test_it_is_never_extrapolated():
    better = of_constant((0.95, 0.95, 0.95), (0.1, 0.2, 0.3))
    assert [(found.photos, found.beyond) for found in better] == [(6, True), (4, True), (0, True)]
    assert all(math.isnan(found.high) for found in better) and [found.low for found in better] == [6, 4, 0]
    worse = of_constant((0.1, 0.1, 0.1), (0.7, 0.8, 0.9))
    assert [(found.photos, found.beyond) for found in worse] == [(0, False), (-2, False), (-6, False)]
    assert all(math.isnan(found.low) for found in worse) and [found.high for found in worse] == [0, -2, -6]


def test_a_curve_that_falls_counts_from_the_methods_own_shots():
    _, second, _ = of_constant((0.5, 0.55, 0.9), (0.6, 0.5, 0.6))
    assert second.photos == pytest.approx(4 * 2**0.5 - 4, abs=1e-2)


def test_order_of_shots_and_a_single_number():
    forth = of_constant((0.6, 0.7, 0.8), (0.5, 0.7, 0.9))
    back = of_constant((0.8, 0.6, 0.7), (0.9, 0.5, 0.7), shots=(8, 2, 4))
    assert back == forth
    assert of_constant((0.6,), (0.5,), shots=(4,)) == []


def test_equal_methods_at_every_point_have_no_division_by_zero():
    with np.errstate(all="raise", under="ignore"):
        found = of_constant((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
    assert [each.photos for each in found] == [0, 0, 0]


@pytest.mark.parametrize(
    ("found", "text"),
    [
        (Worth(2, 0.7, 0.0, 1.1, False), "Worth 0.7 photos per class (95 % CI 0.0 to 1.1; X)."),
        (Worth(4, 0.7, -0.02, math.nan, False), "Worth 0.7 photos per class (95 % CI 0.0 to beyond the curve; X)."),
        (Worth(4, 4.0, 1.5, math.nan, True), "Worth more than 4.0 photos per class, where the curve ends"),
        (Worth(8, 0.0, -1.0, math.nan, True), "The curve ends at 8 shots, below this method: its worth is unknown"),
        (Worth(2, 0.0, math.nan, 0.0, False), "Worth no photos: the curve starts above it"),
        (
            Worth(4, -2.0, math.nan, 0.5, False),
            "Costs at least 2.0 photos per class, where the curve begins (95 % CI -0.5 to below the curve; X).",
        ),
        (Worth(4, -0.7, -1.5, 0.2, False), "Costs 0.7 photos per class (95 % CI -0.2 to 1.5; X)."),
        (Worth(4, -0.06, -1.5, math.nan, False), "Costs 0.1 photos per class (95 % CI beyond the curve to 1.5; X)."),
        (Worth(4, -0.02, -0.1, 0.1, False), "Worth 0.0 photos per class"),
    ],
)
def test_sentences(found, text):
    assert sentence(found, "X").startswith(text)
