"""The small, fast convolutional networks of the recipe quick.

Grids are doubled by a 3x3 convolution and a pixel shuffle (Shi et al. 2016); the discriminator's first halving is its
inverse, because convolutions with a single channel on either side are slow. `width` is the number of channels at half
the image's side; each coarser grid has twice as many.
"""

import math
from itertools import pairwise

from torch import nn

from gan_runtime.manifest import ImageSize
from gan_trainer.networks.grid import coarse_grid
from gan_trainer.networks.layers import MinibatchDeviation, Reshape, normalise


def generator_layers(inputs: int, size: ImageSize, width: int, norm: str) -> nn.Sequential:
    """Rows [n, inputs] -> images [n, c, h, w] before the tanh: a coarse grid, doubled to the image's size."""
    side, doublings = coarse_grid(size.height)
    widths = [width * 2**i for i in reversed(range(doublings))]
    bias = norm == "none"

    def follow(channels: int) -> list[nn.Module]:
        return [*normalise(norm, channels), nn.ReLU()]

    layers: list[nn.Module] = [
        nn.Linear(inputs, widths[0] // 2 * side * side, bias=bias),
        Reshape(widths[0] // 2, side, side),
        *follow(widths[0] // 2),
        nn.Conv2d(widths[0] // 2, widths[0], 3, padding=1, bias=bias),
        *follow(widths[0]),
    ]
    for fewer, more in pairwise(widths):
        layers += [nn.Conv2d(fewer, 4 * more, 3, padding=1, bias=bias), nn.PixelShuffle(2), *follow(more)]
    layers += [nn.Conv2d(width, 4 * size.channels, 3, padding=1), nn.PixelShuffle(2)]
    return nn.Sequential(*layers)


def feature_layers(
    size: ImageSize, width: int, norm: str, dropout: float = 0.0, *, deviation: bool = False
) -> tuple[nn.Sequential, int]:
    """Images [n, c, h, w] -> features [n, f], and f: strided convolutions, and `deviation` on the coarsest grid."""
    side, halvings = coarse_grid(size.height)
    widths = [width * 2**i for i in range(halvings)]
    features = widths[-1]
    layers = [nn.PixelUnshuffle(2), nn.Conv2d(4 * size.channels, width, 3, padding=1), nn.LeakyReLU(0.2)]
    for inputs, outputs in pairwise([*widths, features]):
        layers += [nn.Conv2d(inputs, outputs, 3, 2, 1), *normalise(norm, outputs), nn.LeakyReLU(0.2)]
    layers += [MinibatchDeviation()] if deviation else []
    inputs = (features + deviation) * math.ceil(side / 2) ** 2
    layers += [nn.Flatten(), nn.Linear(inputs, features), nn.LeakyReLU(0.2)]
    return nn.Sequential(*layers), features
