"""Metrics and predictions of a classifier; metrics weight all classes equally."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from diagen.files.json_files import ClassResult, SplitResult
from diagen.files.predictions_file import Prediction


def class_means(values: Tensor, labels: Tensor, n_classes: int) -> Tensor:
    """Mean of `values` `[n]` per class of `labels` `[n]`, float64 `[C]`; NaN for a class without images."""
    sums = torch.zeros(n_classes, dtype=torch.float64).index_add_(0, labels, values.double())
    return sums / torch.bincount(labels, minlength=n_classes)


def balanced_loss_and_accuracy(logits: Tensor, labels: Tensor) -> tuple[float, float]:
    """Cross-entropy (nats) and accuracy in [0, 1] of `logits` `[n, C]`, each the mean of the classes' means."""
    losses = functional.cross_entropy(logits, labels, reduction="none")
    right = logits.argmax(1) == labels
    loss, accuracy = (class_means(values, labels, logits.shape[1]).nanmean() for values in (losses, right))
    return float(loss), float(accuracy)


def evaluate(logits: Tensor, labels: Tensor, classes: Sequence[str]) -> SplitResult:
    """A split's entry in `metrics.json`: `accuracy`, `n_images`, and both for each class in `per_class`.

    `accuracy` is the mean of the classes' accuracies, in [0, 1]. Classes without images are omitted.
    """
    means = class_means(logits.argmax(1) == labels, labels, len(classes))
    counts = torch.bincount(labels, minlength=len(classes)).tolist()
    per_class: dict[str, ClassResult] = {
        name: {"accuracy": mean, "n_images": count}
        for name, mean, count in zip(classes, means.tolist(), counts, strict=True)
        if count
    }
    return {"accuracy": float(means.nanmean()), "n_images": len(labels), "per_class": per_class}


def predict(
    logits: Tensor, labels: Tensor, classes: Sequence[str], paths: Sequence[str], split: str
) -> list[Prediction]:
    """The prediction for each image of a split, in the order of `paths`."""
    probabilities = functional.softmax(logits.double(), dim=1).amax(1).tolist()
    guesses = logits.argmax(1).tolist()
    return [
        Prediction(split, path, classes[label], classes[guess], probability)
        for path, label, guess, probability in zip(paths, labels.tolist(), guesses, probabilities, strict=True)
    ]
