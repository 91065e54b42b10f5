"""Temperature scaling (Guo et al. 2017), which calibrates confidences (section 3.4).

Beyond the paper, log T has a normal prior: validation errors alone bound T from below, and few photos hold few of them.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import torch
from torch import Tensor
from torch.nn import functional

from diagen.files.json_files import FEW_ERRORS

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
    """A temperature, and the reliability on the validation images without and with it.

    `images` is the number of validation images, and `errors` that of those whose class is predicted wrong, each counted
    once, also if the reliability is that of draws of them.
    """

    temperature: float
    before: Reliability
    after: Reliability
    images: int
    errors: int

    def to_json(self, classes: Sequence[str]) -> dict[str, object]:
        """The content of `calibration.json`; `classes` are in the order of the logits."""
        bins = {"before": [asdict(one) for one in self.before.bins], "after": [asdict(one) for one in self.after.bins]}
        figures = {
            f"{name}_{moment}": getattr(reliability, name)
            for name in ("accuracy", "nll", "ece")
            for moment, reliability in (("before", self.before), ("after", self.after))
        }
        return {
            "temperature": self.temperature,
            "classes": list(classes),
            "val": {**figures, "n_images": self.images, "n_errors": self.errors},
            "reliability": bins,
        }

    def warning(self, prior: float | None) -> str | None:
        """What too few validation errors mean for a temperature that was fitted with `prior`; `None` for enough."""
        if self.errors >= FEW_ERRORS:
            return None
        source = "where the optimizer stopped" if prior is None else "largely that of `temperature_prior`"
        remedy = "set `temperature_prior: 0.5`, or add" if prior is None else "add"
        return (
            f"calibration.json: {self.errors} of {self.images} validation images are classified wrong, fewer than the "
            f"{FEW_ERRORS} that determine a temperature; T = {self.temperature:.3g} is {source}, so confidences show "
            f"which images are better, but not how likely they are right; {remedy} photos to train-val beyond "
            "`guide_pool`, which then validate"
        )


def confidences(logits: Tensor, temperature: float) -> Tensor:
    """Calibrated probabilities softmax(logits / T), float64 `[n, C]`."""
    return functional.softmax(logits.double() / temperature, dim=1)


def class_confidences(logits: Tensor, labels: Tensor, temperature: float) -> list[float]:
    """The calibrated confidences q in [0, 1] `[n]` that image i shows class `labels[i]` (eq. (2))."""
    return confidences(logits, temperature).gather(1, labels[:, None])[:, 0].tolist()


def fit_temperature(logits: Tensor, labels: Tensor, prior: float | None = None, images: int | None = None) -> float:
    """Fit the temperature T in [exp(-5), exp(5)] to `logits` `[n, C]` and `labels` `[n]` (int64); 1 without any.

    The maximum a posteriori with log T ~ N(0, prior^2): minimizes the sum of cross-entropies over images plus
    (log T)^2 / (2 prior^2); without a `prior`, the mean cross-entropy. If rows are draws, `images` is the number of
    images that they are drawn from, so that an image counts once however often it is drawn. LBFGS on log T in float64;
    T is positive, so predictions do not change.
    """
    if len(labels) == 0:
        return 1.0
    penalty = 0.0 if prior is None else 1 / (2 * prior**2 * (len(labels) if images is None else images))
    logits = logits.double()
    log_temperature = torch.zeros((), dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS(
        [log_temperature], max_iter=200, tolerance_grad=1e-10, tolerance_change=1e-14, line_search_fn="strong_wolfe"
    )

    def loss() -> Tensor:
        optimizer.zero_grad()
        bounded = _bounded(log_temperature)
        value = functional.cross_entropy(logits * torch.exp(-bounded), labels) + penalty * bounded**2
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
    predicted class's confidence (Guo et al. 2017, eq. (5)). All are 0 without images.
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
    count = max(1, len(labels))
    ece = sum(one.count * abs(one.accuracy - one.confidence) for one in bins) / count
    nll = float(functional.cross_entropy(logits.double() / temperature, labels, reduction="sum")) / count
    return Reliability(float(right.sum()) / count, nll, ece, tuple(bins))


def calibrate(logits: Tensor, labels: Tensor, prior: float | None = None, rows: Tensor | None = None) -> Calibration:
    """Fit the temperature with `prior` on the `logits` `[n, C]` and `labels` `[n]` (int64) of validation images.

    With `rows` (int64 `[m]`), it is fitted and assessed on these draws of the images.
    """
    images, errors = len(labels), int((logits.argmax(1) != labels).sum())
    if rows is not None:
        logits, labels = logits[rows], labels[rows]
    temperature = fit_temperature(logits, labels, prior, images)
    before, after = reliability(logits, labels, 1.0), reliability(logits, labels, temperature)
    return Calibration(temperature, before, after, images, errors)


def uncalibrated(classes: Sequence[str]) -> dict[str, object]:
    """The content of `calibration.json` without validation images for each class: the temperature is 1."""
    return {"temperature": 1.0, "classes": list(classes), "val": None, "reliability": None}
