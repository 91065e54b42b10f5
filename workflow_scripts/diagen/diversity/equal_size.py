"""Sets of equal size, which make recall comparable between numbers of shots and with real images. Free of torch.

Recall depends on the number of synthetic images, even of one distribution, and precision on that of real ones. So in
each of several draws, n synthetic images of each class, as many for all generators and numbers of shots, are compared
with r real ones that are no guide images. For the ceiling, n other real images take the place of the synthetic ones.
Draw i permutes the real images of a class in the same way everywhere, so all sets are compared with nearly the same.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from diagen.config.programs import EqualSize
from diagen.diversity.scopes import LabeledFeatures, diversity_by_scope, warn_of_omitted
from diagen.files.json_files import DiversityEntry
from diagen.seeds import stable_seed

LARGEST = 2000  # images of a set, which bounds the time of its draws
Pair = tuple[LabeledFeatures, LabeledFeatures]
"""Real and synthetic images of one draw."""


@dataclass(frozen=True)
class Sizes:
    """The numbers of images of a class in the synthetic and in the real set."""

    synthetic: int
    real: int


def class_sizes(images: Mapping[str, int], wanted: EqualSize, subsample: int | None) -> dict[str, Sizes]:
    """The sizes of each class from its number of real `images`.

    A class has `wanted.images_per_class` synthetic images, but at most half as many as real ones, from which the
    ceiling takes as many: it compares them with the others. Larger sets than `LARGEST` or `subsample` are reduced to
    that size, by the same factor in each class.
    """
    most = min(LARGEST, subsample or LARGEST)
    synthetic = _reduced({name: min(wanted.images_per_class, count // 2) for name, count in images.items()}, most)
    real = _reduced({name: count - synthetic[name] for name, count in images.items()}, most)
    return {name: Sizes(synthetic[name], real[name]) for name in images}


def equal_size_entries(
    real: LabeledFeatures,
    guides: Sequence[bool],
    synthetic: LabeledFeatures,
    ks: Sequence[int],
    wanted: EqualSize,
    *,
    subsample: int | None,
    seed: int,
) -> list[DiversityEntry]:
    """The entries of the variant `equal_size`: means over draws by `seed` of synthetic images.

    `guides` `[n]` marks the real images that are guide images of the cell. A class with fewer images than its size has
    all of them. Weights of the drawn images are scaled so that each class keeps its share.
    """
    sizes = class_sizes(Counter(real.classes), wanted, subsample)

    def pairs() -> Iterator[Pair]:
        for draw in range(wanted.draws):
            chosen, drawn = _permuted(real, "real", draw), _permuted(synthetic, "synthetic", seed, draw)
            unseen = {name: [row for row in rows if not guides[row]] for name, rows in chosen.items()}
            yield (
                real.take(_first(unseen, {name: size.real for name, size in sizes.items()})),
                _rescaled(synthetic, _first(drawn, {name: size.synthetic for name, size in sizes.items()})),
            )

    return _means(pairs(), ks, wanted.draws)


def ceiling_entries(
    real: LabeledFeatures, ks: Sequence[int], wanted: EqualSize, subsample: int | None
) -> list[DiversityEntry]:
    """The entries of `ceiling.json`: real images against others, in the sizes of `equal_size_entries`."""
    sizes = class_sizes(Counter(real.classes), wanted, subsample)

    def pairs() -> Iterator[Pair]:
        for draw in range(wanted.draws):
            chosen = _permuted(real, "real", draw)
            held_out = {name: rows[::-1] for name, rows in chosen.items()}
            yield (
                real.take(_first(chosen, {name: size.real for name, size in sizes.items()})),
                real.take(_first(held_out, {name: size.synthetic for name, size in sizes.items()})),
            )

    return _means(pairs(), ks, wanted.draws)


def _reduced(counts: Mapping[str, int], most: int) -> dict[str, int]:
    """The counts, reduced by one factor if their sum exceeds `most`; a class with images keeps at least one."""
    total = max(most, sum(counts.values()))
    return {name: max(min(1, count), count * most // total) for name, count in counts.items()}


def _permuted(images: LabeledFeatures, *seed_parts: str | int) -> dict[str, list[int]]:
    """The rows of each class in a random order, which depends on their number and the seed."""
    by_class = defaultdict(list)
    for row, name in enumerate(images.classes):
        by_class[name].append(row)
    return {
        name: np.random.RandomState(stable_seed("equal size", *seed_parts, name)).permutation(rows).tolist()
        for name, rows in by_class.items()
    }


def _first(rows: Mapping[str, Sequence[int]], counts: Mapping[str, int]) -> list[int]:
    """The first rows of each class, as many as `counts` has for it, in ascending order."""
    return sorted(row for name, of_class in rows.items() for row in of_class[: counts.get(name, 0)])


def _rescaled(images: LabeledFeatures, rows: Sequence[int]) -> LabeledFeatures:
    """The given rows, with weights scaled so that those of each class have the sum of the whole class."""
    if images.weights is None:
        return images.take(rows)
    weights, classes = images.weights.copy(), np.asarray(images.classes)
    for name in set(images.classes):
        of_class = [row for row in rows if classes[row] == name]
        kept = weights[of_class].sum()
        if kept > 0:
            weights[of_class] *= images.weights[classes == name].sum() / kept
    return LabeledFeatures(images.features, images.classes, weights, images.file).take(rows)


def _means(pairs: Iterable[Pair], ks: Sequence[int], draws: int) -> list[DiversityEntry]:
    """The mean entry of each scope and k that all draws have; the others are omitted, with a warning."""
    found: dict[tuple[str, int], list[DiversityEntry]] = {}
    scopes = {"pooled"}
    for real, synthetic in pairs:
        scopes |= {*real.classes, *synthetic.classes}
        for entry in diversity_by_scope(real, synthetic, ks, "equal_size", warn=False):
            found.setdefault((entry["scope"], entry["k"]), []).append(entry)
    complete = {key: entries for key, entries in found.items() if len(entries) == draws}
    warn_of_omitted("equal_size", {k: sorted(scope for scope in scopes if (scope, k) not in complete) for k in ks})
    return [_mean(entries) for entries in complete.values()]


def _mean(entries: Sequence[DiversityEntry]) -> DiversityEntry:
    """The mean of entries of one scope and k; numbers of images are rounded."""
    first = entries[0]
    return {
        "variant": first["variant"],
        "k": first["k"],
        "scope": first["scope"],
        "precision": float(np.mean([entry["precision"] for entry in entries])),
        "recall": float(np.mean([entry["recall"] for entry in entries])),
        "density": float(np.mean([entry["density"] for entry in entries])),
        "coverage": float(np.mean([entry["coverage"] for entry in entries])),
        "n_real": round(np.mean([entry["n_real"] for entry in entries])),
        "n_synthetic": round(np.mean([entry["n_synthetic"] for entry in entries])),
    }
