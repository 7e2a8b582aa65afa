"""Multi-layer perceptrons: the networks of the first GANs.

The hidden layers have 8, 16 and 32 times `width` units: 256, 512 and 1024 for `width` 32.
"""

import math

from torch import nn

from gan_runtime.manifest import ImageSize
from gan_trainer.networks.layers import Dropout, Reshape, normalise


def generator_layers(inputs: int, size: ImageSize, width: int, norm: str) -> nn.Sequential:
    """Rows [n, inputs] -> narrow -> middle -> wide -> images [n, c, h, w] before the tanh; LeakyReLU 0.2."""
    narrow, middle, wide = _widths(width)
    shape = (size.channels, size.height, size.width)
    return nn.Sequential(
        *_hidden(inputs, narrow, norm),
        *_hidden(narrow, middle, norm),
        *_hidden(middle, wide, norm),
        nn.Linear(wide, math.prod(shape)),
        Reshape(*shape),
    )


def feature_layers(size: ImageSize, width: int, norm: str, dropout: float = 0.0) -> tuple[nn.Sequential, int]:
    """Images [n, c, h, w] -> wide -> middle -> narrow; LeakyReLU 0.2 and optional dropout after each layer."""
    narrow, middle, wide = _widths(width)
    pixels = size.channels * size.height * size.width
    return nn.Sequential(
        nn.Flatten(),
        *_hidden(pixels, wide, norm, dropout),
        *_hidden(wide, middle, norm, dropout),
        *_hidden(middle, narrow, norm, dropout),
    ), narrow


def _widths(width: int) -> tuple[int, int, int]:
    return 8 * width, 16 * width, 32 * width


def _hidden(inputs: int, outputs: int, norm: str, dropout: float = 0.0) -> list[nn.Module]:
    layers = [nn.Linear(inputs, outputs), *normalise(norm, outputs, rows=True), nn.LeakyReLU(0.2, inplace=True)]
    return [*layers, Dropout(dropout)] if dropout else layers
