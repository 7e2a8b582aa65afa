"""Points in the plane around modes that are known: mixtures of equal Gaussians, made anew wherever they are needed."""

import hashlib

import numpy as np

from gan_runtime.data.dataset import Dataset
from gan_runtime.data.registry import POINTS
from gan_runtime.errors import DataError
from gan_runtime.latents import draw_latents

KEYS = {"train": (1, 2), "test": (3, 4)}  # of the Philox words: which mode, and where around it
VERSION = 1  # of how points are drawn


def make_points(name: str, split: str) -> Dataset:
    """The points of a split of `name`, a key of `POINTS`: the same on every host.

    Returns:
        A data set whose "images" are the points, float32 [n, 1, 1, 2] in units of the extent, so in [-1, 1]: what a
        network learns. Labels are the modes. A network is told no classes.

    Raises:
        DataError: there is no such split.
    """
    source = POINTS[name]
    if split not in source.points:
        raise DataError(f"split {split!r}: {name} has {' and '.join(source.points)}")
    (which, where), n = KEYS[split], source.points[split]
    modes = (np.random.Philox(key=which).random_raw(n) % np.uint64(len(source.modes))).astype(np.int64)
    around = draw_latents(where, 0, n, 2).astype(np.float64)
    points = (np.asarray(source.modes)[modes] + source.deviation * around) / source.extent
    digest = hashlib.sha256(f"points {VERSION} {KEYS[split]} {source}".encode()).hexdigest()
    return Dataset(name, split, points.astype(np.float32)[:, None, None, :], modes, (), digest, len(source.modes))
