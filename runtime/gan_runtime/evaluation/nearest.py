"""Samples beside their nearest training images, to see whether a generator memorises."""

import numpy as np
from numpy.typing import NDArray

from gan_runtime.evaluation.features import FeatureNetwork, Measured
from gan_runtime.evaluation.metrics import nearest_distances
from gan_runtime.evaluation.reference import Reference
from gan_runtime.images.grids import Layout, arrange

NEAREST = 5
GAP = 2


def closest_pairs(measured: Measured, reference: Reference, count: int) -> NDArray[np.int64]:
    """Indices of the samples that are closest to a training image, int64 [at most count], the closest first."""
    distances = nearest_distances(measured.features, reference.train.measured.features)
    return distances.argsort(kind="stable")[:count]


def beside_nearest(samples: NDArray[np.uint8], network: FeatureNetwork, reference: Reference) -> NDArray[np.uint8]:
    """A grid with two samples per row, each followed by its nearest training images in feature space.

    Args:
        samples: uint8 [n, h, w, c].
        network: the network that the reference was made with.
        reference: the reference of the data set.

    Returns:
        uint8 [rows, columns, c].
    """
    features = network.measure(iter([samples])).features
    real = reference.train.measured.features
    distances = (real**2).sum(1) - 2.0 * features @ real.T  # |sample|^2 does not affect the order
    order = np.argpartition(distances, NEAREST, axis=1)[:, :NEAREST]
    rows = []
    for sample, nearest, row in zip(samples, order, distances, strict=True):
        closest = nearest[row[nearest].argsort(kind="stable")]
        rows.append(np.concatenate([sample[None], reference.train.images(closest)]))
    cells = np.concatenate(rows)
    return arrange(cells, Layout(columns=2 * (NEAREST + 1), padding=GAP))
