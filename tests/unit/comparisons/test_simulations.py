"""Simulated studies, few enough for each run of the tests; `tests/simulate_comparisons.py` has the long form."""

import numpy as np
import pytest
from scipy.stats import binom

from tests.simulate_comparisons import DETECTABLE, EFFECTS, LIMITS, POWER, claims, different_methods, equal_methods

STUDIES = 250


@pytest.mark.parametrize("seeds", LIMITS)
@pytest.mark.parametrize("effects", EFFECTS)
def test_false_claims_are_rare(effects, seeds):
    share = claims(equal_methods(np.random.default_rng(1), STUDIES, seeds, **EFFECTS[effects]), 6)
    assert share * STUDIES <= binom.ppf(0.999, STUDIES, LIMITS[seeds])


@pytest.mark.parametrize(("size", "seeds"), [((6, 20, 3), 3), ((6, 20, 3), 10), ((23, 16, 3), 3)])
def test_differences_of_the_table_are_found_in_four_of_five_studies(size, seeds):
    classes, images, shots = size
    difference = DETECTABLE[size][seeds]
    sizes = {"classes": classes, "images": images, "shots": shots}
    found = claims(different_methods(np.random.default_rng(2), STUDIES, seeds, difference, **sizes), classes) * STUDIES
    assert binom.ppf(0.001, STUDIES, POWER[0]) <= found <= binom.ppf(0.999, STUDIES, POWER[1])


def test_runs_counted_as_independent_make_many_false_claims():
    """What the interval replaces: Student's t over seeds and shots as if all of them were independent."""
    differences = equal_methods(np.random.default_rng(3), STUDIES, 10, **EFFECTS["both"])
    runs = differences.mean(axis=-1).reshape(STUDIES, -1)
    t = runs.mean(axis=1) / (runs.std(axis=1, ddof=1) / np.sqrt(runs.shape[1]))
    assert (np.abs(t) > 2.05).mean() > 0.2
