"""Diversity of labeled synthetic images, pooled and for each class. Free of torch."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from diagen.diversity.manifold import diversity, weighted_diversity
from diagen.diversity.pair_bounds import Points
from diagen.errors import InputError, delete_and_rerun
from diagen.files.json_files import DiversityEntry, Variant
from diagen.letters import shortened
from diagen.seeds import stable_seed

SHOWN = 5  # classes that a warning names


@dataclass(frozen=True)
class LabeledFeatures:
    """Features `[n, D]` from `file`, the class of each row, and relative sampling weights >= 0 `[n]` if not equal."""

    features: Points
    classes: Sequence[str]
    weights: NDArray[np.float64] | None = None
    file: Path = Path("features.npy")

    def __post_init__(self) -> None:
        """Raise `InputError` when features and table differ in length."""
        if len(self.features) != len(self.classes):
            raise InputError(
                f"{self.file}: features of {len(self.features)} images, but the table lists {len(self.classes)}. "
                f"{delete_and_rerun(self.file)}"
            )

    def take(self, rows: Sequence[int]) -> "LabeledFeatures":
        """The given rows, in the given order."""
        weights = None if self.weights is None else self.weights[rows]
        return LabeledFeatures(self.features[rows], [self.classes[row] for row in rows], weights, self.file)

    def drawn(self) -> "LabeledFeatures":
        """The rows with a positive weight."""
        return self if self.weights is None else self.take(np.flatnonzero(self.weights > 0).tolist())

    def of_class(self, name: str) -> "LabeledFeatures":
        """The rows of one class."""
        return self.take([row for row, label in enumerate(self.classes) if label == name])

    def subsample(self, at_most: int | None, *seed_parts: str | int) -> "LabeledFeatures":
        """At most `at_most` rows, drawn without replacement by a seed, in their order."""
        return self.take(subsampled_rows(len(self.classes), at_most, *seed_parts))


def subsampled_rows(count: int, at_most: int | None, *seed_parts: str | int) -> list[int]:
    """At most `at_most` of `count` rows, drawn without replacement by a seed, in ascending order."""
    if at_most is None or count <= at_most:
        return list(range(count))
    order = np.random.RandomState(stable_seed(*seed_parts, "subsample")).permutation(count)
    return sorted(order[:at_most].tolist())


def diversity_by_scope(
    real: LabeledFeatures,
    synthetic: LabeledFeatures,
    ks: Sequence[int],
    variant: Variant = "paper",
    *,
    warn: bool = True,
) -> list[DiversityEntry]:
    """The entries of a variant: `pooled` at each k, then each class at each k that it has enough images for.

    With weights of the synthetic images, the values are those of `weighted_diversity` over images of positive weight.
    All classes together or a class with k or fewer real or synthetic images are omitted at that k; if `warn`, with
    `warn_of_omitted`.
    """
    synthetic = synthetic.drawn()
    scopes = [("pooled", real, synthetic)]
    for name in sorted(set(real.classes) | set(synthetic.classes)):
        scopes.append((name, real.of_class(name), synthetic.of_class(name)))
    entries = []
    omitted: dict[int, list[str]] = {k: [] for k in ks}
    for scope, real_part, synthetic_part in scopes:
        fewest = min(len(real_part.classes), len(synthetic_part.classes))
        possible = [k for k in ks if k < fewest]
        for k in set(ks) - set(possible):
            omitted[k].append(scope)
        entries += _entries(variant, scope, real_part, synthetic_part, possible) if possible else []
    if warn:
        warn_of_omitted(variant, omitted)
    return entries


def warn_of_omitted(variant: Variant, omitted: Mapping[int, Sequence[str]]) -> None:
    """Print a warning on standard error of the scopes that are omitted at each k, in a line for all k with the same."""
    by_scopes: dict[tuple[str, ...], list[str]] = {}
    for k, scopes in omitted.items():
        names = ("all classes together",) * ("pooled" in scopes) + tuple(name for name in scopes if name != "pooled")
        by_scopes.setdefault(names, []).append(str(k))
    for names, ks in by_scopes.items():
        if names:
            print(
                f"warning: {variant}: too few images at k = {', '.join(ks)} for {shortened(names, SHOWN)}, which are "
                "omitted; they need more than k real and more than k synthetic images (`diversity.k`)",
                file=sys.stderr,
            )


def _entries(
    variant: Variant, scope: str, real: LabeledFeatures, synthetic: LabeledFeatures, ks: Sequence[int]
) -> list[DiversityEntry]:
    if synthetic.weights is None:
        results = diversity(real.features, synthetic.features, ks)
    else:
        results = weighted_diversity(real.features, synthetic.features, synthetic.weights, ks)
    return [
        {
            "variant": variant,
            "k": result.k,
            "scope": scope,
            "precision": result.precision,
            "recall": result.recall,
            "density": result.density,
            "coverage": result.coverage,
            "n_real": len(real.classes),
            "n_synthetic": len(synthetic.classes),
        }
        for result in results
    ]
