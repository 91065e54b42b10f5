"""Weights of synthetic images from confidences (section 3.4, eq. (2)). Free of torch."""

from collections import defaultdict
from collections.abc import Hashable, Sequence

import numpy as np
from numpy.typing import NDArray

from diagen.config.choices import Transform


def transform_confidences(
    confidences: Sequence[float],
    transform: Transform,
    threshold: float | None = None,
) -> NDArray[np.float64]:
    """Weights before normalization `[n]`, in [0, 1], of confidences q in [0, 1] `[n]`.

    `confidence`: q (eq. (2)). `doubled`: min(1, 2q), as in the published code, so the weight is 1 from q = 0.5 on.
    `threshold`: 1 where q >= `threshold`, else 0. `none`: 1. Raises `ValueError` when the threshold is missing.
    """
    q = np.asarray(confidences, dtype=np.float64)
    match transform:
        case "confidence":
            return q
        case "doubled":
            return np.minimum(1, 2 * q)
        case "threshold":
            if threshold is None:
                raise ValueError("`transform: threshold` needs a threshold")
            return (q >= threshold).astype(np.float64)
        case "none":
            return np.ones_like(q)


def normalize_per_group(
    values: Sequence[float] | NDArray[np.float64], groups: Sequence[Hashable]
) -> NDArray[np.float64]:
    """Divide each value by the sum of its group, `[n]`: q_ij / sum_k q_ik for guide images i (or classes).

    Values of a group that sum to 0 become equal shares. Raises `ValueError` for a negative or non-finite value.
    """
    values = np.asarray(values, dtype=np.float64)
    if not (np.isfinite(values).all() and (values >= 0).all()):
        raise ValueError("expected finite weights of at least 0")
    members = defaultdict(list)
    for row, group in enumerate(groups):
        members[group].append(row)
    shares = np.empty_like(values)
    for rows in members.values():
        total = values[rows].sum()
        shares[rows] = values[rows] / total if total > 0 else 1 / len(rows)
    return shares
