"""Features in two dimensions: PCA, then t-SNE (van der Maaten and Hinton 2008)."""

import numpy as np
from numpy.typing import NDArray
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE
from threadpoolctl import threadpool_limits

DIMENSIONS = 50  # kept by PCA, as usual before t-SNE
PERPLEXITY = 30.0  # the usual number of neighbors; fewer for fewer than 91 points
LEAST = 5  # points; with fewer, the first two principal components must do
WIDTH = 1_000  # of the map, in units of its integer coordinates


def project(features: NDArray[np.float32]) -> NDArray[np.int64]:
    """Coordinates [n, 2] of features [n, D]: integers, x in [0, `WIDTH`] and y from 0, y downwards.

    The same on each call on one type of machine: t-SNE adds in another order, and so differs, with other threads than
    the one that it gets here.
    """
    with threadpool_limits(1):
        centered = features.astype(np.float64)
        centered -= centered.mean(axis=0)
        kept = min(DIMENSIONS, *centered.shape)
        reduced = PCA(kept, svd_solver="full").fit_transform(centered) if centered.any() else centered[:, :1]
        if len(features) >= LEAST and centered.any() and reduced.shape[1] > 1:
            perplexity = min(PERPLEXITY, (len(features) - 1) / 3)
            reduced = TSNE(init="pca", perplexity=perplexity, random_state=0).fit_transform(reduced)
    plane = np.zeros((len(features), 2))
    plane[:, : min(2, reduced.shape[1])] = reduced[:, :2]
    return _scaled(plane)


def _scaled(plane: NDArray[np.float64]) -> NDArray[np.int64]:
    """The plane turned so that its longer side lies along x, moved to 0 and scaled to `WIDTH`."""
    plane = plane - plane.min(axis=0)
    if plane[:, 1].max() > plane[:, 0].max():
        plane = plane[:, ::-1]
    return np.round(plane * (WIDTH / (plane.max() or 1.0))).astype(np.int64)
