"""Multi-layer perceptrons: the networks of the first GANs."""

import math

from torch import nn

from gan_runtime.manifest import ImageSize
from gan_trainer.networks.layers import Dropout, Reshape, normalise


def generator_layers(inputs: int, size: ImageSize, width: int, norm: str) -> nn.Sequential:
    """Rows [n, inputs] -> 256 -> 512 -> 1024 -> images [n, c, h, w] before the tanh; LeakyReLU 0.2."""
    shape = (size.channels, size.height, size.width)
    return nn.Sequential(
        *_hidden(inputs, 256, norm),
        *_hidden(256, 512, norm),
        *_hidden(512, 1024, norm),
        nn.Linear(1024, math.prod(shape)),
        Reshape(*shape),
    )


def feature_layers(size: ImageSize, width: int, norm: str, dropout: float = 0.0) -> tuple[nn.Sequential, int]:
    """Images [n, c, h, w] -> 1024 -> 512 -> 256 features; LeakyReLU 0.2, and dropout if any, after each of them."""
    pixels = size.channels * size.height * size.width
    return nn.Sequential(
        nn.Flatten(),
        *_hidden(pixels, 1024, norm, dropout),
        *_hidden(1024, 512, norm, dropout),
        *_hidden(512, 256, norm, dropout),
    ), 256


def _hidden(inputs: int, outputs: int, norm: str, dropout: float = 0.0) -> list[nn.Module]:
    layers = [nn.Linear(inputs, outputs), *normalise(norm, outputs, rows=True), nn.LeakyReLU(0.2, inplace=True)]
    return [*layers, Dropout(dropout)] if dropout else layers
