"""The temperature and the reliability figures against independent computations."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax

from diagen.guide_classifiers.calibration import (
    BINS,
    FEW_ERRORS,
    calibrate,
    class_confidences,
    fit_temperature,
    reliability,
)


def overconfident(
    seed: int, count: int = 80, classes: int = 5, scale: float = 4.0
) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(classes, (count,), generator=generator)
    logits = scale * (torch.nn.functional.one_hot(labels, classes) + torch.randn(count, classes, generator=generator))
    return logits, labels


def nll(logits: torch.Tensor, labels: torch.Tensor, temperature: float) -> float:
    return -log_softmax(logits.double().numpy() / temperature, axis=1)[np.arange(len(labels)), labels].mean()


@settings(deadline=None, max_examples=10)
@given(st.integers(0, 10_000), st.integers(2, 12), st.floats(0.3, 15))
def test_temperature_against_scipy(seed: int, classes: int, scale: float) -> None:
    logits, labels = overconfident(seed, classes=classes, scale=scale)
    found = fit_temperature(logits, labels)
    reference = minimize_scalar(lambda log: nll(logits, labels, np.exp(log)), bounds=(-4.9, 4.9), method="bounded")
    assert nll(logits, labels, found) <= reference.fun + 1e-9
    assert np.log(found) == pytest.approx(reference.x, abs=1e-3)


def test_temperature_stays_finite_when_all_is_right() -> None:
    logits, labels = 10 * torch.eye(4), torch.arange(4)
    assert np.exp(-5) <= fit_temperature(logits, labels) < 1


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 10_000), st.integers(1, 30), st.integers(2, 8), st.floats(0.3, 15), st.floats(0.05, 2))
def test_temperature_with_a_prior_against_scipy(
    seed: int, count: int, classes: int, scale: float, prior: float
) -> None:
    """The sum of cross-entropies, and the prior's negative logarithm."""
    logits, labels = overconfident(seed, count, classes, scale)

    def objective(log: float) -> float:
        return count * nll(logits, labels, np.exp(log)) + log**2 / (2 * prior**2)

    found = fit_temperature(logits, labels, prior)
    reference = minimize_scalar(objective, bounds=(-4.9, 4.9), method="bounded", options={"xatol": 1e-9})
    assert objective(np.log(found)) <= reference.fun + 1e-8
    assert np.log(found) == pytest.approx(reference.x, abs=1e-3)


def test_a_prior_keeps_the_temperature_of_few_images_near_one_and_yields_to_many() -> None:
    sure, labels = 10 * torch.eye(4), torch.arange(4)
    assert fit_temperature(sure, labels) < 0.5 < 0.9 < fit_temperature(sure, labels, 0.5) <= 1
    hardly = 0.5 * torch.eye(4)
    assert fit_temperature(hardly, labels) < 0.1, "all are right, so no temperature is too low"
    assert 0.3 < fit_temperature(hardly, labels, 0.5) < 1
    few, many = overconfident(0, count=10), overconfident(0, count=20_000)
    assert fit_temperature(*many, 0.5) == pytest.approx(fit_temperature(*many), rel=0.01)
    assert fit_temperature(*few, 0.5) < fit_temperature(*few), "drawn toward 1"
    assert fit_temperature(*few, 1e-3) == pytest.approx(1, abs=1e-3)


def test_draws_count_as_the_images_they_are_drawn_from() -> None:
    logits, labels = overconfident(2, count=12)
    rows = torch.arange(12).repeat(50)
    once, often = calibrate(logits, labels, 0.5), calibrate(logits, labels, 0.5, rows)
    assert often.temperature == pytest.approx(once.temperature, rel=1e-6)
    assert (often.images, often.errors) == (once.images, once.errors) == (12, int((logits.argmax(1) != labels).sum()))
    assert sum(one.count for one in often.after.bins) == 600


def test_without_images_the_temperature_is_one() -> None:
    logits, labels = torch.zeros(0, 3), torch.zeros(0, dtype=torch.long)
    assert fit_temperature(logits, labels) == fit_temperature(logits, labels, 0.5) == 1
    written = calibrate(logits, labels, 0.5).to_json(["a", "b", "c"])
    assert written["temperature"] == 1 and set(written["val"].values()) == {0}


def test_few_validation_errors_are_warned_of() -> None:
    few, enough = calibrate(10 * torch.eye(4), torch.arange(4), 0.5), calibrate(*overconfident(0), 0.5)
    assert few.errors == 0 and enough.errors >= FEW_ERRORS
    assert enough.warning(0.5) is None
    warning = few.warning(0.5)
    assert warning.startswith("calibration.json: 0 of 4 validation images are classified wrong")
    assert "T = 0.999" in warning and "largely that of `temperature_prior`" in warning and "add photos" in warning
    assert "is where the optimizer stopped" in few.warning(None) and "set `temperature_prior: 0.5`" in few.warning(None)


def test_reliability_against_numpy() -> None:
    logits, labels = overconfident(3)
    for temperature in (0.7, 1.0, 3.0):
        found = reliability(logits, labels, temperature)
        probabilities = softmax(logits.double().numpy() / temperature, axis=1)
        confidence, right = probabilities.max(1), probabilities.argmax(1) == labels.numpy()
        edges = np.linspace(0, 1, BINS + 1)
        ece = sum(
            inside.mean() * abs(right[inside].mean() - confidence[inside].mean())
            for low, high in zip(edges[:-1], edges[1:], strict=True)
            if (inside := (confidence > low) & (confidence <= high)).any()
        )
        assert found.ece == pytest.approx(ece, abs=1e-12)
        assert found.nll == pytest.approx(nll(logits, labels, temperature), abs=1e-12)
        assert found.accuracy == pytest.approx(right.mean())
        assert sum(one.count for one in found.bins) == len(labels)


def test_calibration_helps_and_leaves_accuracy() -> None:
    result = calibrate(*overconfident(0, count=400))
    assert result.temperature > 1.5
    assert result.after.accuracy == result.before.accuracy
    assert result.after.nll < result.before.nll and result.after.ece < result.before.ece
    written = result.to_json(["a", "b", "c", "d", "e"])
    assert written["val"]["n_images"] == 400 and written["val"]["nll_after"] == result.after.nll
    wrong = written["val"]["n_errors"]
    assert wrong == result.errors == pytest.approx(400 * (1 - result.after.accuracy))
    assert len(written["reliability"]["before"]) == BINS
    assert set(written["reliability"]["after"][0]) == {"lower", "upper", "count", "confidence", "accuracy"}


def test_class_confidences() -> None:
    logits, labels = overconfident(1)
    expected = softmax(logits.double().numpy() / 2.5, axis=1)[np.arange(len(labels)), labels]
    np.testing.assert_allclose(class_confidences(logits, labels, 2.5), expected, rtol=1e-12)
