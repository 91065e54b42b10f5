"""Temperature scaling (Guo et al. 2017), which calibrates confidences (section 3.4)."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import torch
from torch import Tensor
from torch.nn import functional

BINS = 15  # for the expected calibration error, as in Guo et al.
LARGEST_LOG = 5.0  # bound on |log T|: for logits that are always right the best temperature would be 0


@dataclass(frozen=True)
class Bin:
    """Predictions with a confidence in (lower, upper]: their number, mean confidence and accuracy, 0 without any."""

    lower: float
    upper: float
    confidence: float
    accuracy: float
    count: int


@dataclass(frozen=True)
class Reliability:
    """Calibration metrics: accuracy in [0, 1], not averaged over classes; mean NLL in nats; ECE in [0, 1]; bins."""

    accuracy: float
    nll: float
    ece: float
    bins: tuple[Bin, ...]


@dataclass(frozen=True)
class Calibration:
    """A temperature, and the reliability on the validation images without and with it."""

    temperature: float
    before: Reliability
    after: Reliability

    def to_json(self, classes: Sequence[str]) -> dict[str, object]:
        """The content of `calibration.json`; `classes` are in the order of the logits."""
        bins = {"before": [asdict(one) for one in self.before.bins], "after": [asdict(one) for one in self.after.bins]}
        figures = {
            f"{name}_{moment}": getattr(reliability, name)
            for name in ("accuracy", "nll", "ece")
            for moment, reliability in (("before", self.before), ("after", self.after))
        }
        n_images = sum(one.count for one in self.after.bins)
        return {
            "temperature": self.temperature,
            "classes": list(classes),
            "val": {**figures, "n_images": n_images},
            "reliability": bins,
        }


def confidences(logits: Tensor, temperature: float) -> Tensor:
    """Calibrated probabilities softmax(logits / T), float64 `[n, C]`."""
    return functional.softmax(logits.double() / temperature, dim=1)


def class_confidences(logits: Tensor, labels: Tensor, temperature: float) -> list[float]:
    """The calibrated confidences q in [0, 1] `[n]` that image i shows class `labels[i]` (eq. (2))."""
    return confidences(logits, temperature).gather(1, labels[:, None])[:, 0].tolist()


def fit_temperature(logits: Tensor, labels: Tensor) -> float:
    """Fit the temperature in [exp(-5), exp(5)] that minimizes the mean cross-entropy of `logits` `[n, C]`.

    `labels`: int64 `[n]`. LBFGS on log T in float64; T is positive, so predictions do not change.
    """
    logits = logits.double()
    log_temperature = torch.zeros((), dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS(
        [log_temperature], max_iter=200, tolerance_grad=1e-10, tolerance_change=1e-14, line_search_fn="strong_wolfe"
    )

    def loss() -> Tensor:
        optimizer.zero_grad()
        value = functional.cross_entropy(logits * torch.exp(-_bounded(log_temperature)), labels)
        value.backward()
        return value

    optimizer.step(loss)
    return float(torch.exp(_bounded(log_temperature.detach())))


def _bounded(log_temperature: Tensor) -> Tensor:
    """Squash smoothly into (-5, 5), where exponentials are finite."""
    return LARGEST_LOG * torch.tanh(log_temperature / LARGEST_LOG)


def reliability(logits: Tensor, labels: Tensor, temperature: float) -> Reliability:
    """Accuracy, mean negative log-likelihood (nats) and expected calibration error at `temperature`.

    The expected calibration error is the count-weighted mean of |accuracy - mean confidence| over 15 equal bins of the
    predicted class's confidence (Guo et al. 2017, eq. (5)).
    """
    probabilities = confidences(logits, temperature)
    confidence = probabilities.amax(1)
    right = logits.argmax(1) == labels
    number = (confidence * BINS).ceil().long().clamp(1, BINS) - 1
    bins = []
    for index in range(BINS):
        inside = number == index
        count = int(inside.sum())
        mean_confidence = float(confidence[inside].mean()) if count else 0.0
        accuracy = float(right[inside].double().mean()) if count else 0.0
        bins.append(Bin(index / BINS, (index + 1) / BINS, mean_confidence, accuracy, count))
    ece = sum(one.count * abs(one.accuracy - one.confidence) for one in bins) / len(labels)
    nll = float(functional.cross_entropy(logits.double() / temperature, labels))
    return Reliability(float(right.double().mean()), nll, ece, tuple(bins))


def calibrate(logits: Tensor, labels: Tensor) -> Calibration:
    """Fit the temperature on validation `logits` `[n, C]` and `labels` `[n]` (int64)."""
    temperature = fit_temperature(logits, labels)
    return Calibration(temperature, reliability(logits, labels, 1.0), reliability(logits, labels, temperature))


def uncalibrated(classes: Sequence[str]) -> dict[str, object]:
    """The content of `calibration.json` without validation images for each class: the temperature is 1."""
    return {"temperature": 1.0, "classes": list(classes), "val": None, "reliability": None}
