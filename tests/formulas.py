"""Pictures and weights by a formula, so that the authors' code and this project's can be given the same."""

import math
import zlib
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

KINDS = "running_var", "weight"  # values of batch norm that are around 1


def textured(height: int, width: int, channels: int) -> NDArray[np.uint8]:
    """A picture uint8 [height, width, channels] of waves, an edge and some noise, as different as photos are."""
    y, x, c = np.meshgrid(np.arange(height), np.arange(width), np.arange(channels), indexing="ij")
    waves = np.sin(x * 0.31 + c) * np.cos(y * 0.17 - c) + 0.5 * np.sin(x * y * 0.011)
    edges = np.where((x + 2 * y) % 29 < 11, 0.6, -0.4)
    return np.asarray(((0.5 * waves + edges + 0.2 * noise("noise", waves.shape)) * 90 + 120).clip(0, 255), np.uint8)


def noise(name: str, shape: tuple[int, ...]) -> NDArray[np.float64]:
    """float64 in [-1, 1], a function of name and index."""
    n = math.prod(shape)
    words = np.random.Philox(key=zlib.crc32(name.encode())).random_raw(-(-n // 4)).astype("<u8")
    values: NDArray[np.float64] = words.view("<u2")[:n].reshape(shape) / 32767.5 - 1.0
    return values


def weights(shapes: Mapping[str, tuple[int, ...]]) -> dict[str, NDArray[np.float32]]:
    """Weights by their names: spread so that layers keep the size of their input; biases and slopes are small.

    Variances and scales of batch norm are around 1.
    """
    around_1 = {name.replace(KINDS[0], kind) for name in shapes if KINDS[0] in name for kind in KINDS}
    return {name: _weight(name, shape, name in around_1) for name, shape in shapes.items()}


def _weight(name: str, shape: tuple[int, ...], around_1: bool) -> NDArray[np.float32]:
    if len(shape) > 1:
        values = noise(name, shape) * math.sqrt(6 / math.prod(shape[1:]))
    else:
        values = 1.0 + 0.5 * noise(name, shape) if around_1 else 0.1 * noise(name, shape)
    return values.astype(np.float32)
