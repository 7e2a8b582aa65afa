"""Multi-layer perceptrons: the networks of the first GANs."""

import math

from torch import nn

from gan_runtime.manifest import ImageSize
from gan_trainer.networks.layers import Dropout, Reshape, normalise


def generator_layers(inputs: int, size: ImageSize, width: int, norm: str) -> nn.Sequential:
    """Rows [n, inputs] -> 256 -> 512 -> 1024 -> images [n, c, h, w] in [-1, 1]; LeakyReLU 0.2, tanh at the end."""
    shape = (size.channels, size.height, size.width)
    return nn.Sequential(
        *_hidden(inputs, 256, norm),
        *_hidden(256, 512, norm),
        *_hidden(512, 1024, norm),
        nn.Linear(1024, math.prod(shape)),
        nn.Tanh(),
        Reshape(*shape),
    )


def critic_layers(size: ImageSize, width: int, norm: str) -> tuple[nn.Sequential, int]:
    """Images [n, c, h, w] -> 1024 -> 512 -> 256 features; LeakyReLU 0.2 and dropout 0.3 after each of them."""
    pixels = size.channels * size.height * size.width
    return nn.Sequential(
        nn.Flatten(),
        *_hidden(pixels, 1024, norm),
        Dropout(0.3),
        *_hidden(1024, 512, norm),
        Dropout(0.3),
        *_hidden(512, 256, norm),
        Dropout(0.3),
    ), 256


def _hidden(inputs: int, outputs: int, norm: str) -> list[nn.Module]:
    return [nn.Linear(inputs, outputs), *normalise(norm, outputs, rows=True), nn.LeakyReLU(0.2, inplace=True)]
