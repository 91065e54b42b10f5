"""The temperature and the reliability figures against independent computations."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax

from diagen.weighting.calibration import BINS, calibrate, class_confidences, fit_temperature, reliability


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
    assert len(written["reliability"]["before"]) == BINS
    assert set(written["reliability"]["after"][0]) == {"lower", "upper", "count", "confidence", "accuracy"}


def test_class_confidences() -> None:
    logits, labels = overconfident(1)
    expected = softmax(logits.double().numpy() / 2.5, axis=1)[np.arange(len(labels)), labels]
    np.testing.assert_allclose(class_confidences(logits, labels, 2.5), expected, rtol=1e-12)
