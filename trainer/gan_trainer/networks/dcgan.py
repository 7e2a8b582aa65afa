"""Convolutional networks after Radford et al. 2016 ("DCGAN"): no pooling; weights of the bodies from N(0, 0.02^2).

`width` is the number of channels at half the image's side; each coarser grid has twice as many, at most eight times.
"""

from itertools import pairwise

from torch import nn

from gan_runtime.manifest import ImageSize
from gan_trainer.networks.grid import coarse_grid
from gan_trainer.networks.layers import Reshape, normalise, small_weights

MOST = 8  # times `width`


def generator_layers(inputs: int, size: ImageSize, width: int, norm: str) -> nn.Sequential:
    """Rows [n, inputs] -> images [n, c, h, w] before the tanh: transposed convolutions that double the grid."""
    side, widths = _grid(size, width)
    widths.reverse()
    bias = norm == "none"
    layers: list[nn.Module] = [
        nn.Linear(inputs, widths[0] * side * side, bias=bias),
        Reshape(widths[0], side, side),
        *normalise(norm, widths[0]),
        nn.ReLU(),
    ]
    for more, fewer in pairwise(widths):
        layers += [nn.ConvTranspose2d(more, fewer, 4, 2, 1, bias=bias), *normalise(norm, fewer), nn.ReLU()]
    layers += [nn.ConvTranspose2d(widths[-1], size.channels, 4, 2, 1)]
    return nn.Sequential(*layers).apply(small_weights)


def feature_layers(size: ImageSize, width: int, norm: str, dropout: float = 0.0) -> tuple[nn.Sequential, int]:
    """Images [n, c, h, w] -> features [n, f], and f: strided convolutions, no norm after the first."""
    side, widths = _grid(size, width)
    layers: list[nn.Module] = [nn.Conv2d(size.channels, widths[0], 4, 2, 1), nn.LeakyReLU(0.2)]
    for fewer, more in pairwise(widths):
        layers += [nn.Conv2d(fewer, more, 4, 2, 1), *normalise(norm, more), nn.LeakyReLU(0.2)]
    return nn.Sequential(*layers, nn.Flatten()).apply(small_weights), widths[-1] * side * side


def _grid(size: ImageSize, width: int) -> tuple[int, list[int]]:
    """Side of the coarsest grid, and the channels from the finest grid but one to the coarsest."""
    side, doublings = coarse_grid(size.height)
    return side, [width * min(2**i, MOST) for i in range(doublings)]
