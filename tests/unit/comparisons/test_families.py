"""Holm's correction against statsmodels, levels against their intervals, sign flips against scipy."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.multitest import multipletests

from diagen.comparisons.families import holm, levels, sign_flip_p

families = st.lists(st.floats(0, 1) | st.sampled_from([0.0, 0.01, 0.025, 1.0]), min_size=1, max_size=12).map(np.array)


@settings(max_examples=15)  # each call of statsmodels takes 0.1 s
@given(families)
def test_holm_is_that_of_statsmodels(p):
    np.testing.assert_allclose(holm(p), multipletests(p, method="holm")[1], atol=1e-15)


@given(families)
def test_levels_reject_what_holm_rejects(p):
    own = levels(p)
    decided = np.abs(holm(p) - 0.05) > 1e-12
    assert ((p < own) == (holm(p) < 0.05))[decided].all()
    assert (own >= 0.05 / len(p) - 1e-15).all() and (own <= 0.05).all()
    assert levels(p[:1]) == pytest.approx([0.05])


def test_levels_stop_at_the_first_test_that_is_not_rejected():
    assert levels(np.array([0.2, 0.001, 0.03, 0.9])) == pytest.approx([0.05 / 3, 0.05 / 4, 0.05 / 3, 0.05 / 3])


def test_sign_flips_are_those_of_scipy():
    differences = np.random.default_rng(0).normal(0.3, 0.5, (4, 7))
    for row, found in zip(differences, sign_flip_p(differences), strict=True):
        expected = stats.permutation_test((row,), np.mean, permutation_type="samples", n_resamples=np.inf)
        assert found == pytest.approx(expected.pvalue)


def test_sign_flips_of_few_and_of_many_seeds():
    assert np.isnan(sign_flip_p(np.ones((2, 5)))).all()
    assert sign_flip_p(np.ones(6)) == 2 / 2**6
    assert sign_flip_p(np.ones(20)) == pytest.approx(1e-4)
    assert sign_flip_p(np.zeros(8)) == 1
    many = np.random.default_rng(1).normal(0.4, 1, 16)
    expected = stats.permutation_test((many,), np.mean, permutation_type="samples", n_resamples=np.inf)
    assert sign_flip_p(many) == pytest.approx(expected.pvalue, abs=0.02)
