"""Multi-layer perceptrons: the networks of the first GANs."""

import math

from torch import nn

from gan_runtime.manifest import ImageSize
from gan_trainer.networks.layers import Dropout, Reshape


class MLPGenerator(nn.Sequential):
    """Latents float [n, d] -> 256 -> 512 -> 1024 -> images [n, c, h, w] in [-1, 1]; LeakyReLU 0.2, tanh at the end."""

    def __init__(self, latent_dim: int, size: ImageSize) -> None:
        shape = (size.channels, size.height, size.width)
        super().__init__(
            *_hidden(latent_dim, 256),
            *_hidden(256, 512),
            *_hidden(512, 1024),
            nn.Linear(1024, math.prod(shape)),
            nn.Tanh(),
            Reshape(*shape),
        )


class MLPDiscriminator(nn.Sequential):
    """Images [n, c, h, w] -> 1024 -> 512 -> 256 -> logits [n]; LeakyReLU 0.2 and dropout 0.3 after each of them."""

    def __init__(self, size: ImageSize) -> None:
        pixels = size.channels * size.height * size.width
        super().__init__(
            nn.Flatten(),
            *_hidden(pixels, 1024),
            Dropout(0.3),
            *_hidden(1024, 512),
            Dropout(0.3),
            *_hidden(512, 256),
            Dropout(0.3),
            nn.Linear(256, 1),
            nn.Flatten(0),
        )


def _hidden(inputs: int, outputs: int) -> tuple[nn.Module, nn.Module]:
    return nn.Linear(inputs, outputs), nn.LeakyReLU(0.2, inplace=True)
