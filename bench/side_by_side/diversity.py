"""Precision, recall, density and coverage, beside the package `prdc` of their authors and a brute force in numpy."""

from collections.abc import Callable, Sequence
from dataclasses import astuple

import numpy as np
import prdc
from numpy.typing import NDArray

from bench.side_by_side.material import Workplace
from bench.side_by_side.measure import Stage
from diagen.diversity.manifold import diversity

WIDTH = 384  # of the features of DINOv2 ViT-S/14
LATENT = 16  # dimensions in which the points vary, so that precision and recall are neither 0 nor 1
BLOCK = 1000  # points per block of the brute force
Figures = NDArray[np.float64]
"""Precision, recall, density and coverage at each k, `[len(ks), 4]`."""
Measure = Callable[[NDArray[np.float32], NDArray[np.float32], Sequence[int]], Figures]


def points(count: int, seed: int, scale: float, shift: float) -> NDArray[np.float32]:
    """Points `[count, WIDTH]` near a subspace of `LATENT` dimensions, as features are."""
    plane = np.random.RandomState(0).randn(LATENT, WIDTH)
    draw = np.random.RandomState(seed)
    noise = 0.1 * draw.randn(count, WIDTH)
    return ((scale * draw.randn(count, LATENT) + shift) @ plane + noise).astype(np.float32)


def with_prdc(real: NDArray[np.float32], synthetic: NDArray[np.float32], ks: Sequence[int]) -> Figures:
    """The figures of `prdc`, in a call for each k."""
    found = [prdc.compute_prdc(real, synthetic, k) for k in ks]
    return np.array([[one[name] for name in ("precision", "recall", "density", "coverage")] for one in found])


def brute_force(real: NDArray[np.float32], synthetic: NDArray[np.float32], ks: Sequence[int]) -> Figures:
    """The figures from all distances in float64, in blocks of one side."""
    real, synthetic = real.astype(np.float64), synthetic.astype(np.float64)
    real_radii, synthetic_radii = _radii(real, ks), _radii(synthetic, ks)
    figures = []
    for column, k in enumerate(ks):
        inside, density, recalled, covered = [], 0, np.zeros(len(real), bool), np.zeros(len(real), bool)
        for start in range(0, len(synthetic), BLOCK):
            squared = _squared(synthetic[start : start + BLOCK], real)
            inside += (squared <= real_radii[:, column]).any(1).tolist()
            opened = squared < real_radii[:, column]
            density += opened.sum()
            covered |= opened.any(0)
            recalled |= (squared <= synthetic_radii[start : start + BLOCK, column, None]).any(0)
        figures.append([np.mean(inside), recalled.mean(), density / (k * len(synthetic)), covered.mean()])
    return np.array(figures)


def _radii(points: NDArray[np.float64], ks: Sequence[int]) -> NDArray[np.float64]:
    """Squared distances `[n, len(ks)]` to the k-th nearest other point."""
    blocks = []
    for start in range(0, len(points), BLOCK):
        squared = _squared(points[start : start + BLOCK], points)
        rows = np.arange(len(squared))
        squared[rows, start + rows] = np.inf
        blocks.append(np.partition(squared, max(ks) - 1, axis=1)[:, : max(ks)])
    return np.sort(np.concatenate(blocks), axis=1)[:, np.array(ks) - 1]


def _squared(left: NDArray[np.float64], right: NDArray[np.float64]) -> NDArray[np.float64]:
    return (left * left).sum(1)[:, None] + (right * right).sum(1) - 2 * left @ right.T


def stage(place: Workplace) -> Stage:
    """20,000 real and 20,000 synthetic points at one k, beside `prdc`.

    `prdc` computes in float32 and counts a point on a sphere as outside, so a few points may differ.
    """
    return _stage("diversity, prdc", place.size(20_000, 300), (3,), with_prdc, 1e-3)


def against_brute_force(place: Workplace) -> Stage:
    """The two k of the configuration, beside the brute force, whose figures are equal."""
    return _stage("diversity, brute force", place.size(10_000, 300), (3, 5), brute_force, 1e-12)


def _stage(name: str, count: int, ks: tuple[int, ...], plain: Measure, tolerance: float) -> Stage:
    real, synthetic = points(count, 1, 1.0, 0.0), points(count, 2, 0.8, 0.3)

    def ours() -> Figures:
        return np.array([astuple(one)[1:] for one in diversity(real, synthetic, ks)])

    return Stage(
        name=name,
        work=f"{count} x {count} x {WIDTH}, k = {' and '.join(map(str, ks))}",
        plain=lambda: plain(real, synthetic, ks),
        ours=ours,
        floor=lambda: [(real[start : start + BLOCK] @ synthetic.T)[0, 0] for start in range(0, count, BLOCK)],
        difference=lambda one, other: float(np.abs(one - other).max()),
        tolerance=tolerance,
        unit="of a figure",
    )
