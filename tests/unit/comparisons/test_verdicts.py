"""The sentences that answer whether a method helps."""

import math
import re

import pytest

from diagen.comparisons.tables_file import ANSWERS
from diagen.comparisons.verdicts import Evidence, sample

NAN = math.nan


def evidence(low, high, *, seeds=3, images=120, adjusted=False, detectable=0.05, numbers=(12.0, 483.0), folds=False):
    estimate = (low + high) / 2
    return Evidence(estimate, low, high, seeds, images, adjusted, detectable, *numbers, folds)


@pytest.mark.parametrize(
    ("low", "high", "answer", "text"),
    [
        (0.008, 0.056, "yes", "Yes, by 3.2 points (95 % CI 0.8 to 5.6; 3 seeds, 120 test photos)."),
        (-0.056, -0.008, "hurts", "No, it hurts, by 3.2 points (95 % CI -5.6 to -0.8; 3 seeds, 120 test photos)."),
        (
            -0.01,
            0.01,
            "same",
            "No difference that matters: 0.0 points (95 % CI -1.0 to 1.0; 3 seeds, 120 test photos).",
        ),
        (
            -0.02,
            0.04,
            "unclear",
            "Can't tell: 1.0 points (95 % CI -2.0 to 4.0; 3 seeds, 120 test photos). It would take about 12 seeds or "
            "about 490 test photos to decide a difference of 2 points.",
        ),
    ],
)
def test_the_four_answers(low, high, answer, text):
    found = evidence(low, high)
    assert (found.answer, found.verdict) == (answer, text)
    assert found.answer in ANSWERS


def test_a_sure_but_small_difference_is_still_one():
    assert evidence(0.001, 0.009).answer == "yes"


def test_adjusted_intervals_say_so():
    assert "(adjusted 95 % CI " in evidence(0.01, 0.02, adjusted=True).verdict


def test_one_seed_is_labelled():
    text = evidence(-0.02, 0.04, seeds=1, numbers=(NAN, 483.0)).verdict
    assert "1 seed, 120 test photos; for these training photos; another draw may differ)" in text
    assert text.endswith("about 490 test photos to decide a difference of 2 points for these training photos.")
    assert "another draw may differ" in evidence(0.02, 0.04, seeds=1).verdict


def test_folds_are_repeated_and_test_all_photos():
    text = evidence(-0.02, 0.04, folds=True).verdict
    assert "3 repeats, 120 photos)" in text and "about 12 repeats or about 490 photos" in text and "seed" not in text


@pytest.mark.parametrize(
    ("numbers", "detectable", "remedy"),
    [
        ((NAN, 483.0), 0.05, "It would take about 490 test photos to decide"),
        ((12.0, NAN), 0.05, "It would take about 12 seeds to decide"),
        ((NAN, NAN), 0.05, "Neither more seeds nor more photos alone would decide"),
        ((2.0, 100.0), 0.015, "It is too close to zero; a difference of 2 points would have been found"),
        ((NAN, 183.0), NAN, "It would take about 190 test photos to decide"),
        ((NAN, NAN), NAN, "A single photo says nothing about others."),
    ],
)
def test_what_would_decide(numbers, detectable, remedy):
    assert remedy in evidence(-0.02, 0.04, numbers=numbers, detectable=detectable).verdict


@pytest.mark.parametrize(("needed", "text"), [(4.0, "4"), (99.2, "100"), (101.0, "110"), (11_001.0, "12000")])
def test_numbers_are_rounded_up_to_two_digits(needed, text):
    assert f"about {text} seeds" in evidence(-0.02, 0.04, numbers=(needed, NAN)).verdict


def test_no_number_is_minus_zero():
    assert not re.search(r"-0\.0\b", evidence(-0.0001, 0.0001).verdict)


def test_with_folds_more_repeats_would_not_decide():
    text = evidence(-0.02, 0.04, folds=True, numbers=(NAN, NAN)).verdict
    assert "Neither more repeats nor more photos alone would decide" in text


def test_samples():
    assert sample(2, 1, folds=False) == "2 seeds, 1 test photo"
    assert sample(10, 30, folds=True) == "10 repeats, 30 photos"
