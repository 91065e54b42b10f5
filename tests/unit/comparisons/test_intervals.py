"""The two-way interval against formulas written out in loops and scipy's tests in one-way cases; its edge cases."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from diagen.comparisons.intervals import ACCURACY, estimate, interval, joined, p_value


def by_hand(values, counts):
    """Estimate, both variances, degrees of freedom and interaction, from sums over classes, seeds and images."""
    seeds, n_classes = len(values), len(counts)
    ends = np.cumsum(counts)
    classes = [range(end - count, end) for end, count in zip(ends, counts, strict=True)]
    weights = np.concatenate([np.full(count, 1 / (n_classes * count)) for count in counts])
    of_seed = [sum(weights[i] * row[i] for i in range(len(row))) for row in values]
    of_image = [sum(row[i] for row in values) / seeds for i in range(len(weights))]
    squares = [
        sum((of_image[i] - sum(of_image[j] for j in own) / len(own)) ** 2 for i in own) / max(1, len(own) - 1)
        for own in classes
    ]
    freedom = sum(counts) - n_classes
    pooled = sum(square * (count - 1) for square, count in zip(squares, counts, strict=True)) / freedom
    squares = [square if count > 1 else pooled for square, count in zip(squares, counts, strict=True)]
    images = sum(square / (n_classes**2 * count) for square, count in zip(squares, counts, strict=True))
    mean = sum(of_seed) / seeds
    drawn = sum((each - mean) ** 2 for each in of_seed) / (seeds - 1) / seeds if seeds > 1 else 0.0
    parts = images**2 / freedom + (drawn**2 / (seeds - 1) if seeds > 1 else 0.0)
    return mean, images, drawn, (images + drawn) ** 2 / parts


studies = st.tuples(
    st.lists(st.integers(1, 6), min_size=1, max_size=4).filter(lambda counts: max(counts) > 1),
    st.integers(1, 5),
    st.integers(0, 2**32 - 1),
)


@given(studies)
def test_formulas(study):
    counts, seeds, seed = study
    values = np.random.default_rng(seed).normal(0.1, 1, (seeds, sum(counts)))
    overall, per_class = estimate(values, np.array(counts))
    mean, images, drawn, df = by_hand(values.tolist(), counts)
    assert overall.mean == pytest.approx(mean)
    assert overall.variance_images == pytest.approx(images)
    assert overall.variance_seeds == pytest.approx(drawn)
    assert overall.df == pytest.approx(df)
    low, high = interval(overall, bounds=(-np.inf, np.inf))
    reach = stats.t.ppf(0.975, df) * np.sqrt(images + drawn)
    assert (low, high) == (pytest.approx(mean - reach), pytest.approx(mean + reach))
    assert p_value(overall) == pytest.approx(2 * stats.t.sf(abs(mean) / np.sqrt(images + drawn), df))
    for number, (end, count) in enumerate(zip(np.cumsum(counts), counts, strict=True)):
        if count > 1:
            own = by_hand(values[:, end - count : end].tolist(), [count])
            found = (per_class.mean, per_class.variance_images, per_class.variance_seeds, per_class.df)
            assert [each[number] for each in found] == pytest.approx(own)


def test_many_comparisons_at_once_are_those_one_by_one():
    values = np.random.default_rng(0).integers(-1, 2, (3, 2, 4, 9))
    counts = np.array([2, 3, 4])
    together = [each.flat() for each in estimate(values, counts)]
    for kind, whole in enumerate(together):
        alone = joined([estimate(values[i, j], counts)[kind].flat() for i in range(3) for j in range(2)])
        for name in ("mean", "variance", "df", "interaction", "images", "equal_images", "by_seed"):
            np.testing.assert_allclose(getattr(whole, name), getattr(alone, name))


def test_without_variance_of_images_it_is_the_paired_t_test_over_seeds():
    random = np.random.default_rng(1)
    one, other = random.random((2, 6))
    values = np.repeat((one - other)[:, None], 8, axis=1)
    found, _ = estimate(values, np.array([3, 5]))
    expected = stats.ttest_rel(one, other)
    assert found.df == 5 and p_value(found) == pytest.approx(expected.pvalue)
    assert interval(found) == pytest.approx(tuple(expected.confidence_interval(0.95)))


@pytest.mark.parametrize("seeds", [1, 4])
def test_without_variance_of_seeds_it_is_the_t_test_over_images(seeds):
    images = np.random.default_rng(2).normal(0.1, 0.3, 12)
    found, _ = estimate(np.repeat(images[None], seeds, axis=0), np.array([12]))
    expected = stats.ttest_1samp(images, 0)
    assert found.df == pytest.approx(11) and p_value(found) == pytest.approx(expected.pvalue)
    assert interval(found) == pytest.approx(tuple(expected.confidence_interval(0.95)))


def test_two_equal_classes_have_the_interval_of_student():
    first, second = np.random.default_rng(3).normal(0.2, 0.4, (2, 7))
    found, _ = estimate(np.concatenate((first, second))[None], np.array([7, 7]))
    expected = stats.ttest_ind(first, -second, equal_var=True)
    assert p_value(found) == pytest.approx(expected.pvalue) and found.df == 12


def test_interaction_is_what_seeds_and_images_leave_over():
    random = np.random.default_rng(4)
    additive = random.normal(size=(5, 1)) + random.normal(size=(1, 12))
    counts = np.array([4, 8])
    overall, per_class = estimate(additive, counts)
    assert overall.interaction == pytest.approx(0, abs=1e-12) and per_class.interaction == pytest.approx(0, abs=1e-12)
    crossed = np.stack([estimate(random.normal(size=(5, 12)), counts)[0].interaction for _ in range(2000)])
    assert crossed.mean() == pytest.approx((1 / 4 + 1 / 8) / 4, rel=0.05)  # of unit variance per value


def test_a_class_with_one_image_gets_the_variance_of_the_others():
    values = np.array([[0.0, 1, 1, -1, 1]])
    _, per_class = estimate(values, np.array([4, 1]))
    assert per_class.variance_images[1] == pytest.approx(values[0, :4].var(ddof=1))
    assert per_class.freedom.tolist() == [3, 3]


def test_classes_with_one_image_each_are_compared_with_each_other():
    values = np.array([[0.0, 1, 1, -1, 1]])
    overall, per_class = estimate(values, np.ones(5, dtype=np.int64))
    assert overall.variance_images == pytest.approx(values.var(ddof=1) / 5) and overall.freedom == 4
    assert per_class.variance_images == pytest.approx(np.full(5, values.var(ddof=1)))


@pytest.mark.parametrize("seeds", [1, 3])
def test_one_image_tells_nothing(seeds):
    overall, _ = estimate(np.ones((seeds, 1)), np.array([1]))
    assert interval(overall) == (-1, 1) and p_value(overall) == 1


@pytest.mark.parametrize("seeds", [1, 3])
def test_ties_everywhere_are_no_proof_of_equality(seeds):
    overall, per_class = estimate(np.zeros((seeds, 12)), np.array([6, 6]))
    low, high = interval(overall)
    assert high == -low == pytest.approx(1 - 0.025 ** (1 / 12))  # missed in 1 of 40 draws
    assert p_value(overall) == 1
    assert interval(per_class)[1] == pytest.approx(1 - 0.025 ** (1 / 6))
    assert np.isnan(overall.df)


@pytest.mark.parametrize("value", [1.0, -1.0, 1 / 3])
def test_without_variance_p_is_the_level_whose_interval_ends_at_zero(value):
    overall, _ = estimate(np.full((3, 9), value), np.array([4, 5]))
    assert overall.variance == 0
    low, high = interval(overall, p_value(overall))
    assert (low if value > 0 else high) == pytest.approx(0)
    low, high = interval(overall)
    assert -1 <= low <= value <= high <= 1


def test_rounding_is_no_variance():
    values = np.random.default_rng(5).permuted(np.repeat([[1 / 3, 0.0, 2 / 3]], 30, axis=0), axis=1).T
    overall, _ = estimate(np.repeat(values, 2, axis=1), np.array([20, 40]))
    assert overall.variance_images == 0


@given(studies)
def test_intervals_of_accuracies_stay_within_their_range(study):
    counts, seeds, seed = study
    right = np.random.default_rng(seed).random((seeds, sum(counts))) < 0.9
    for found in estimate(right, np.array(counts)):
        low, high = interval(found, bounds=ACCURACY)
        assert ((low >= 0) & (low <= found.mean) & (found.mean <= high) & (high <= 1)).all()


@given(studies, st.sampled_from([0.01, 0.05, 0.2]))
def test_an_interval_excludes_zero_exactly_if_p_is_below_its_level(study, alpha):
    counts, seeds, seed = study
    values = np.random.default_rng(seed).integers(-1, 2, (seeds, sum(counts))) + (seed % 3) / 3
    overall, _ = estimate(values, np.array(counts))
    low, high = interval(overall, alpha, (-2, 2))
    if overall.variance > 0:
        assert ((low > 0) | (high < 0)) == (p_value(overall) < alpha)


def test_the_example_of_the_documentation():
    rows = [[1, 0, 0, 1, 0, 1, 0, 0], [1, 0, 0, 0, 0, 1, -1, 1], [1, 1, 0, 0, 0, 0, 0, 1]]
    found, _ = estimate(np.array(rows), np.array([4, 4]))
    assert found.by_seed.tolist() == [0.375, 0.25, 0.375]
    numbers = [found.mean, found.variance_images, found.variance_seeds, found.df, *interval(found)]
    assert [round(float(number), 4) for number in numbers] == [0.3333, 0.0266, 0.0017, 6.7224, -0.0682, 0.7349]
