"""The four metrics by their definitions, with all pairs in float64, and the library's metrics in the same form."""

import numpy as np

from diagen.diversity.manifold import diversity, weighted_diversity


def brute_force(real: np.ndarray, synthetic: np.ndarray, k: int) -> tuple[float, float, float, float]:
    """The definitions, with all pairs in float64."""
    real, synthetic = real.astype(np.float64), synthetic.astype(np.float64)

    def distances(left: np.ndarray, right: np.ndarray) -> np.ndarray:
        return ((left[:, None] - right[None]) ** 2).sum(-1)

    def radii(points: np.ndarray) -> np.ndarray:
        own = distances(points, points)
        np.fill_diagonal(own, np.inf)
        return np.sort(own, axis=1)[:, k - 1]

    cross = distances(synthetic, real)
    of_real, of_synthetic = radii(real), radii(synthetic)
    precision = (cross <= of_real[None]).any(1).mean()
    recall = (cross <= of_synthetic[:, None]).any(0).mean()
    density = (cross < of_real[None]).sum() / (k * len(synthetic))
    coverage = (cross < of_real[None]).any(0).mean()
    return precision, recall, density, coverage


def figures(real: np.ndarray, synthetic: np.ndarray, k: int) -> tuple[float, float, float, float]:
    result = diversity(real, synthetic, [k])[0]
    return result.precision, result.recall, result.density, result.coverage


def weighted_brute_force(
    real: np.ndarray, synthetic: np.ndarray, weights: np.ndarray, k: int
) -> tuple[float, float, float, float]:
    """The definitions with all pairs, image by image; recall and coverage are those of as many draws as images."""
    shares = weights / weights.sum()

    def radius(points: np.ndarray, row: int) -> float:
        return np.sort(((np.delete(points, row, 0) - points[row]) ** 2).sum(1))[k - 1]

    of_real = [radius(real, row) for row in range(len(real))]
    of_synthetic = [radius(synthetic, row) for row in range(len(synthetic))]
    precision = density = 0.0
    reached, covered = np.zeros(len(real)), np.zeros(len(real))
    for j, (y, share) in enumerate(zip(synthetic, shares, strict=True)):
        distances = ((real - y) ** 2).sum(1)
        precision += share * (distances <= of_real).any()
        density += share * (distances < of_real).sum() / k
        reached += share * (distances <= of_synthetic[j])
        covered += share * (distances < of_real)
    recall, coverage = (1 - (1 - np.minimum(total, 1)) ** len(synthetic) for total in (reached, covered))
    return precision, recall.mean(), density, coverage.mean()


def simulated(
    real: np.ndarray, synthetic: np.ndarray, weights: np.ndarray, k: int, rounds: int
) -> tuple[float, float, float, float]:
    """Means over `rounds` in which as many images are drawn as there are, by `weights`, with replacement."""
    cross = ((synthetic[:, None] - real[None]) ** 2).sum(-1)
    own = [((points[:, None] - points[None]) ** 2).sum(-1) for points in (real, synthetic)]
    of_real, of_synthetic = (np.sort(squared, axis=1)[:, k] for squared in own)
    inside, reaching = cross <= of_real, cross <= of_synthetic[:, None]
    covering = cross < of_real
    draws = np.random.default_rng(0).choice(len(synthetic), (rounds, len(synthetic)), p=weights / weights.sum())
    found = [
        (
            inside[drawn].any(1).mean(),
            reaching[drawn].any(0).mean(),
            covering[drawn].sum(1).mean() / k,
            covering[drawn].any(0).mean(),
        )
        for drawn in draws
    ]
    precision, recall, density, coverage = np.mean(found, axis=0)
    return precision, recall, density, coverage


def weighted_figures(real: np.ndarray, fake: np.ndarray, weights: np.ndarray, k: int) -> list[float]:
    (result,) = weighted_diversity(real, fake, weights, [k])
    return [result.precision, result.recall, result.density, result.coverage]
