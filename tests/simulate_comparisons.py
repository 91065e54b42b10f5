"""Simulated studies: how often the two-way interval errs without a difference, and how often it finds one.

`PYTHONPATH=workflow_scripts:. .venv/bin/python tests/simulate_comparisons.py --studies 1000` prints both tables, and
exits with 1 if there are more false claims than 8 % at 3 seeds or 6 % at 10, or if the power is not that of the table.
"""

import argparse
import sys
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from diagen.comparisons.intervals import estimate, interval

SHOTS = 3
LIMITS = {3: 0.08, 10: 0.06}
"""By number of seeds: the largest share of studies without a difference whose interval may exclude 0."""
EFFECTS = {
    "retraining noise only": {},
    "+ method x seed, shared by shots": {"method_seed": 0.25},
    "+ method x image": {"method_image": 1.0},
    "both": {"method_seed": 0.25, "method_image": 1.0},
}
"""Standard deviations, in logits, of what differs between two methods that are equal on average."""
IMAGES, SEEDS, NOISE = 0.0403, 0.0063, 0.276
"""Standard deviations of a difference between images and seeds, and of a single one: of them follows `DETECTABLE`."""
DETECTABLE = {
    (6, 20, 1): {3: 0.066, 5: 0.049, 10: 0.035, 20: 0.027},
    (6, 20, 3): {3: 0.041, 5: 0.030, 10: 0.022, 20: 0.017},
    (23, 16, 3): {3: 0.027, 5: 0.019, 10: 0.014, 20: 0.010},
}
"""Differences found with a power of 80 %, by classes, test images per class, numbers of shots, and seeds."""
POWER = (0.72, 0.92)
"""The table is rounded to 0.1 points, and the interval is conservative."""


def equal_methods(
    random: np.random.Generator,
    studies: int,
    seeds: int,
    *,
    classes: int = 6,
    images: int = 20,
    method_seed: float = 0.0,
    method_image: float = 0.0,
) -> NDArray[np.int64]:
    """Differences `[studies, shots, seeds, images]` of two methods without a difference on average.

    Predictions are right with a probability whose logit has effects of image, seed, method x seed and method x image;
    each training draws anew.
    """
    total = classes * images
    logit = 1.2 + random.standard_normal((studies, 1, 1, 1, total))
    logit = logit + 0.3 * random.standard_normal((studies, 1, 1, seeds, 1))
    logit = logit + method_seed * random.standard_normal((studies, 2, 1, seeds, 1))
    logit = logit + method_image * random.standard_normal((studies, 2, 1, 1, total))
    right = random.random((studies, 2, SHOTS, seeds, total)) < 1 / (1 + np.exp(-logit))
    return right[:, 0].astype(np.int64) - right[:, 1]


def different_methods(
    random: np.random.Generator, studies: int, seeds: int, difference: float, *, classes: int, images: int, shots: int
) -> NDArray[np.int64]:
    """Differences `[studies, shots, seeds, images]` whose mean is `difference`."""
    mean = difference + IMAGES * random.standard_normal((studies, 1, 1, classes * images))
    mean = mean + SEEDS * random.standard_normal((studies, 1, seeds, 1))
    differing = np.maximum(NOISE**2, np.abs(mean))  # the probability that only one of both is right
    drawn = random.random((studies, shots, seeds, classes * images))
    return (drawn < (differing + mean) / 2).astype(np.int64) - (drawn > 1 - (differing - mean) / 2)


def claims(differences: NDArray[np.int64], classes: int) -> float:
    """The share of studies `[studies, shots, seeds, images]` whose interval excludes 0."""
    counts = np.full(classes, differences.shape[-1] // classes)
    low, high = interval(estimate(differences.mean(axis=1), counts)[0])
    return float(((low > 0) | (high < 0)).mean())


def false_claims(studies: int, random: np.random.Generator) -> Iterator[tuple[str, int, float]]:
    """For each kind of chance and number of seeds, the share of false claims."""
    for name, effects in EFFECTS.items():
        for seeds in LIMITS:
            yield name, seeds, claims(equal_methods(random, studies, seeds, **effects), 6)


def found_differences(studies: int, random: np.random.Generator) -> Iterator[tuple[tuple[int, int, int], int, float]]:
    """For each entry of `DETECTABLE`, the share of studies that find the difference."""
    for (classes, images, shots), by_seeds in DETECTABLE.items():
        for seeds, difference in by_seeds.items():
            size = {"classes": classes, "images": images, "shots": shots}
            differences = different_methods(random, studies, seeds, difference, **size)
            yield (classes, images, shots), seeds, claims(differences, classes)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--studies", type=int, default=1000, metavar="N", help="default: %(default)s")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="default: %(default)s")
    arguments = parser.parse_args()
    random, failed = np.random.default_rng(arguments.seed), False
    print(f"{'false claims, what differs without a difference':<52}{'seeds':>6}{'%':>7}{'limit':>7}")
    for name, seeds, share in false_claims(arguments.studies, random):
        failed |= share > LIMITS[seeds]
        print(f"{name:<52}{seeds:>6}{100 * share:>7.1f}{100 * LIMITS[seeds]:>7.0f}")
    print(f"{'power, test images and numbers of shots':<52}{'seeds':>6}{'%':>7}{'points':>7}")
    for (classes, images, shots), seeds, share in found_differences(arguments.studies, random):
        failed |= not POWER[0] <= share <= POWER[1]
        points = 100 * DETECTABLE[classes, images, shots][seeds]
        print(f"{f'{classes * images} test images, {shots} pooled':<52}{seeds:>6}{100 * share:>7.1f}{points:>7.1f}")
    sys.exit(int(failed))


if __name__ == "__main__":
    main()
