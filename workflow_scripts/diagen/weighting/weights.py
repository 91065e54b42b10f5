"""Weights of synthetic images, and which image is drawn how often in training (section 3.4, equation 2).

Free of torch.
"""

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
    """Weights before normalizing `[n]`, in [0, 1], of confidences q in [0, 1] `[n]`.

    `confidence`: q (equation 2). `doubled`: min(1, 2q), as in the published code, which trusts an image fully from 0.5
    on. `threshold`: 1 where q reaches `threshold`, else 0. `none`: 1.
    """
    q = np.asarray(confidences, dtype=np.float64)
    match transform:
        case "confidence":
            return q
        case "doubled":
            return np.minimum(1, 2 * q)
        case "threshold":
            return (q >= threshold).astype(np.float64)
        case "none":
            return np.ones_like(q)


def normalize_per_group(values: Sequence[float], groups: Sequence[Hashable]) -> NDArray[np.float64]:
    """Each value over the sum of its group's, `[n]`: q_ij / sum_k q_ik where groups are guide images, or classes.

    A group whose values are all 0 shares equally. Raises `ValueError` for a negative or infinite value.
    """
    values = np.asarray(values, dtype=np.float64)
    if not (np.isfinite(values).all() and (values >= 0).all()):
        raise ValueError("weights must be finite and not negative")
    members = defaultdict(list)
    for row, group in enumerate(groups):
        members[group].append(row)
    shares = np.empty_like(values)
    for rows in members.values():
        total = values[rows].sum()
        shares[rows] = values[rows] / total if total > 0 else 1 / len(rows)
    return shares
