"""Three grey images in red, green and blue: with ten classes each, a data set of a thousand modes that can be counted.

Metz et al. 2017, "Unrolled generative adversarial networks", section 3.3, made one of MNIST to test generators for mode
collapse.
"""

import hashlib

import numpy as np
from numpy.typing import NDArray

from gan_runtime.data.dataset import Dataset

CHANNELS = 3
KEYS = {"train": 2017, "test": 2018}  # of the Philox words that choose the images; two splits share no image anyway
VERSION = 1  # of the choice


def stack(name: str, parts: Dataset, n: int) -> Dataset:
    """n images in colour of three grey ones: the same on every host, whatever numpy makes of its random numbers.

    Args:
        name: what the result is called.
        parts: one split of grey images with classes 0 .. c - 1.
        n: how many, positive.

    Returns:
        Images uint8 [n, h, w, 3] of c**3 modes, labelled c**2 red + c green + blue. A network is told no classes.
    """
    words = np.random.Philox(key=KEYS[parts.split]).random_raw(n * CHANNELS)
    chosen: NDArray[np.int64] = (words % np.uint64(len(parts.images))).astype(np.int64).reshape(n, CHANNELS)
    images = np.empty((n, *parts.images.shape[1:3], CHANNELS), np.uint8)
    for channel in range(CHANNELS):
        images[..., channel] = parts.images[chosen[:, channel], :, :, 0]
    places = len(parts.classes) ** np.arange(CHANNELS - 1, -1, -1)
    made = f"stacked {VERSION} {KEYS[parts.split]} {n} {parts.digest}"
    digest = hashlib.sha256(made.encode()).hexdigest()
    return Dataset(name, parts.split, images, parts.labels[chosen] @ places, (), digest, len(parts.classes) ** CHANNELS)
