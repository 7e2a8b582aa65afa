"""Samples beside the training images that are nearest to them: does the generator copy?"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gan_runtime.evaluation.features import FeatureNetwork
from gan_runtime.evaluation.reference import Reference
from gan_runtime.images.grids import Layout, arrange

NEAREST = 5
GAP = 2


def beside_nearest(
    samples: NDArray[np.uint8], network: FeatureNetwork, reference: Reference, train: NDArray[Any]
) -> NDArray[np.uint8]:
    """A picture with a row for each two samples: a sample, its nearest training images in feature space, and again.

    Args:
        samples: uint8 [n, h, w, c].
        network: that the reference was made with.
        reference: of the data set.
        train: its training images, uint8 [m, h, w, c].

    Returns:
        uint8 [rows, columns, c].
    """
    features = network.measure(iter([samples])).features
    known = reference.train.features
    distances = (known**2).sum(1) - 2.0 * features @ known.T  # the sample's own length does not change the order
    order = np.argpartition(distances, NEAREST, axis=1)[:, :NEAREST]
    rows = []
    for sample, nearest, row in zip(samples, order, distances, strict=True):
        closest = nearest[row[nearest].argsort(kind="stable")]
        rows.append(np.concatenate([sample[None], np.asarray(train[closest])]))
    cells = np.concatenate(rows)
    return arrange(cells, Layout(columns=2 * (NEAREST + 1), padding=GAP))
