"""Classifiers on the real guide photos alone: what any use of synthetic images has to beat.

Both are linear layers on the features of plain views: a logistic regression, and the nearest class mean. The paper's
training on real photos is not regularized, so a gain over it alone may need no synthetic images.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits
from torch import Tensor

from diagen.cells import Cell
from diagen.classifiers.cell_images import CellImages
from diagen.classifiers.heads import Head
from diagen.config.programs import FitBaselinesSettings
from diagen.downstream.results import metrics_of, predictions_of
from diagen.downstream.stored_features import stored_features
from diagen.files.predictions_file import Prediction
from diagen.models.classifier_body import Backbone

Numbers = NDArray[np.float64]
STRENGTHS = tuple(10.0**power for power in range(-2, 5))
"""Values of C, the inverse of the L2 penalty, for features with a mean squared norm of 1 around their mean."""
DEFAULT_STRENGTH = 10.0
"""C if each class has a single photo, so that nothing is left to choose it by."""
MOST_FOLDS = 5


@dataclass(frozen=True)
class Fitted:
    """The content of a classifier's `metrics.json`, and its predictions for all images of all splits."""

    metrics: dict[str, object]
    predictions: list[Prediction]


def fit_baselines(
    backbone: Backbone,
    images: CellImages,
    settings: FitBaselinesSettings,
    cell: Cell,
    *,
    store: Path,
    micro_batch: int,
    device: torch.device,
) -> dict[str, Fitted]:
    """Fit both classifiers on the guide photos of a cell and test them on its splits, by name.

    Features are kept in the folder `store`. Raises `InputError` when one is not finite or a photo was replaced.
    """
    features = {
        role: stored_features(
            backbone,
            settings.backbone,
            images.paths[role],
            images.hashes[role],
            store=store,
            size=settings.image_size,
            micro_batch=micro_batch,
            device=device,
        )
        for role in ("guide", *images.splits)
    }
    guides = features["guide"], images.labels["guide"], images.classes
    regression, strength = logistic_regression(*guides)
    heads = {"logistic_regression": regression, "nearest_class_mean": nearest_class_mean(*guides)}
    chosen: dict[str, dict[str, object]] = {"logistic_regression": {"inverse_penalty": strength}}
    fitted = {}
    for name, head in heads.items():
        logits = {split: head.logits(features[split]) for split in images.splits}
        metrics = metrics_of(name, cell, settings.backbone, logits, images, **chosen.get(name, {}))
        fitted[name] = Fitted(metrics, predictions_of(logits, images))
    return fitted


def logistic_regression(features: Tensor, labels: Tensor, classes: Sequence[str]) -> tuple[Head, float]:
    """A multinomial logistic regression on `features` `[n, D]` with `labels` `[n]`, and the C of its L2 penalty.

    All classes have the same total weight. C has the lowest class-balanced cross-entropy in cross-validation within
    these photos, in which a class with one photo is never left out; ties go to the stronger penalty.
    """
    center = features.double().mean(dim=0)
    centered = (features.double() - center).numpy()
    scale = float(np.sqrt((centered**2).sum(axis=1).mean())) or 1.0
    # The penalty keeps the weights in the span of the photos, so their coordinates in it, `[n, rank]`, are enough.
    left, singular, right = np.linalg.svd(centered / scale, full_matrices=False)
    truth = labels.numpy()
    with threadpool_limits(1):  # rounding depends on the number of threads
        strength = _chosen_strength(left * singular, truth)
        model = _fit(left * singular, truth, strength)
    weight = torch.from_numpy(_both_rows(model.coef_) @ right / scale)
    bias = torch.from_numpy(_both_rows(model.intercept_)) - weight @ center
    return Head(weight.float(), bias.float(), tuple(classes)), strength


def nearest_class_mean(features: Tensor, labels: Tensor, classes: Sequence[str]) -> Head:
    """A linear layer whose largest logit is that of the nearest class mean of `features` `[n, D]` with `labels` `[n]`.

    The logits are minus the squared distances up to a constant, in units of the mean squared distance of the class
    means to their mean.
    """
    one_hot = torch.nn.functional.one_hot(labels, len(classes)).double()
    means = (one_hot.T @ features.double()) / one_hot.sum(dim=0)[:, None]
    center = means.mean(dim=0)
    scale = float(((means - center) ** 2).sum(dim=1).mean()) or 1.0
    weight = 2 * (means - center) / scale
    bias = -((means - center) ** 2).sum(dim=1) / scale - weight @ center
    return Head(weight.float(), bias.float(), tuple(classes))


def _chosen_strength(features: Numbers, labels: NDArray[np.int64]) -> float:
    folds = _folds(labels)
    parts = [(folds != fold, folds == fold) for fold in np.unique(folds[folds >= 0])]
    losses = [np.mean([_loss(features, labels, *part, strength) for part in parts]) for strength in STRENGTHS if parts]
    return STRENGTHS[int(np.argmin(losses))] if losses else DEFAULT_STRENGTH


def _folds(labels: NDArray[np.int64]) -> NDArray[np.int64]:
    """The fold `[n]` of each photo, photos of a class in turn; -1 for a class with one photo."""
    counts = np.bincount(labels)
    turn = np.array([np.count_nonzero(labels[:index] == label) for index, label in enumerate(labels)])
    return np.where(counts[labels] > 1, turn % min(MOST_FOLDS, counts.max()), -1)


def _loss(
    features: Numbers, labels: NDArray[np.int64], train: NDArray[np.bool_], test: NDArray[np.bool_], strength: float
) -> float:
    """The class-balanced cross-entropy of photos that the model does not see."""
    model = _fit(features[train], labels[train], strength)
    of_photo = -model.predict_log_proba(features[test])[np.arange(test.sum()), labels[test]]
    return float(np.mean([of_photo[labels[test] == label].mean() for label in np.unique(labels[test])]))


def _fit(features: Numbers, labels: NDArray[np.int64], strength: float) -> LogisticRegression:
    return LogisticRegression(C=strength, class_weight="balanced", tol=1e-6, max_iter=10_000).fit(features, labels)


def _both_rows(weights: Numbers) -> Numbers:
    """One row per class; scikit-learn has a single row, the logit of the second, for two classes."""
    return weights if len(weights) > 1 else np.stack([-weights[0] / 2, weights[0] / 2])
