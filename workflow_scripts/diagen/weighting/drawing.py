"""Computes eq. (2) (section 3.4): sampling probabilities of real and synthetic training images. Free of torch."""

from collections import Counter, defaultdict
from collections.abc import Hashable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from diagen.errors import InputError, delete_and_rerun, rm
from diagen.weighting.weights import normalize_per_group

MANIFEST, WEIGHTS = Path("manifest.csv"), Path("weights.csv")  # named in errors when the caller read no file


def drawing_probabilities(
    real_classes: Sequence[str],
    real_guides: Sequence[int],
    synthetic_classes: Sequence[str],
    synthetic_guides: Sequence[int],
    shares: Sequence[float] | NDArray[np.float64] | None,
    synthetic_probability: float,
    *,
    manifest: Path | None = None,
    weights: Path | None = None,
) -> NDArray[np.float64]:
    """The probability of each training image per draw, real ones first, float64 `[n_real + n_synthetic]`, sum 1.

    This is eq. (2) with balanced classes, so 1/N becomes 1/(C n_c) for a class of n_c real images: a real image has the
    probability (1 - p) / (C n_c), a synthetic one of guide image i has p / (C n_c) times its share among the images of
    i. `shares` sum to 1 over the images of each guide image, or over those of each class: then p / C times the share.
    `None` means equal shares. Without synthetic images p must be 0; with p = 1 no real image is drawn. `manifest` and
    `weights` are the files of the synthetic images and shares, for errors. Raises `InputError` when p > 0 and a guide
    image has no synthetic image, when a synthetic image has no guide image, or when shares do not sum to 1.
    """
    manifest, weights = manifest or MANIFEST, weights or WEIGHTS
    guides = list(zip(real_classes, real_guides, strict=True))
    groups = list(zip(synthetic_classes, synthetic_guides, strict=True))
    p = synthetic_probability
    missing = sorted(set(guides) - set(groups))
    if p > 0 and missing:
        raise InputError(
            f"{manifest}: guide image {missing[0][1]} of class {missing[0][0]} has no synthetic image. Delete the file "
            f"and the plan and run Snakemake again: {rm(manifest, manifest.with_name('plan.csv'))}"
        )
    unknown = sorted(set(groups) - set(guides))
    if unknown:
        raise InputError(
            f"{manifest}: guide image {unknown[0][1]} of class {unknown[0][0]} is not in shots.csv. Delete the file "
            f"and the plan and run Snakemake again: {rm(manifest, manifest.with_name('plan.csv'))}"
        )
    if shares is None:
        shares = normalize_per_group(np.ones(len(groups)), groups)
    shares = np.asarray(shares, dtype=np.float64)
    counts = Counter(real_classes)
    per_class = {name: 1 / (len(counts) * count) for name, count in counts.items()}
    per_share = per_class
    if not _sum_to_one(shares, groups):
        if not _sum_to_one(shares, synthetic_classes):
            raise InputError(
                f"{weights}: the weights do not sum to 1 over the images of each guide image or of each class. "
                f"{delete_and_rerun(weights)}"
            )
        per_share = dict.fromkeys(counts, 1 / len(counts))
    real = [(1 - p) * per_class[name] for name in real_classes]
    synthetic = [p * per_share[name] * share for name, share in zip(synthetic_classes, shares, strict=True)]
    return np.array(real + synthetic, dtype=np.float64)


def _sum_to_one(shares: NDArray[np.float64], groups: Sequence[Hashable]) -> bool:
    """Whether no share is negative and the shares of each group sum to 1."""
    totals: dict[Hashable, float] = defaultdict(float)
    for group, share in zip(groups, shares, strict=True):
        totals[group] += share
    return bool((shares >= 0).all()) and all(abs(total - 1) <= 1e-6 for total in totals.values())


def drawn_shares(
    classes: Sequence[str], guides: Sequence[int], shares: Sequence[float], *, weights: Path | None = None
) -> NDArray[np.float64]:
    """The probability of each synthetic image per synthetic draw, float64 `[n]`, sum 1 (eq. (2) with p = 1).

    `weights` is the file of the shares. Raises `InputError` when shares do not sum to 1.
    """
    real = sorted(set(zip(classes, guides, strict=True)))
    names, numbers = [name for name, _ in real], [guide for _, guide in real]
    return drawing_probabilities(names, numbers, classes, guides, shares, 1.0, weights=weights)[len(real) :]


def draw_rows(
    probabilities: NDArray[np.float64], classes: Sequence[str], uniforms: NDArray[np.float64]
) -> NDArray[np.int64]:
    """Draw rows with `probabilities` `[n]` by `uniforms` in [0, 1) of any shape; the result has that shape.

    The distribution is inverted with rows sorted by class. Since all methods weight all classes equally, equal uniform
    numbers draw the same class in all methods, so methods are compared under common random numbers.
    """
    order = np.argsort(np.asarray(classes), kind="stable")
    order = order[probabilities[order] > 0]
    cumulative = np.cumsum(probabilities[order])
    positions = np.searchsorted(cumulative, uniforms * cumulative[-1], side="right")
    return order[np.minimum(positions, len(order) - 1)]
