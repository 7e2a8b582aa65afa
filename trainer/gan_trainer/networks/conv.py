"""Small class-conditional convolutional networks, for images whose side is four or eight times a small grid."""

import math
from itertools import pairwise

import torch
from torch import Tensor, nn

from gan_runtime.manifest import ImageSize
from gan_trainer.networks.layers import Reshape

EMBEDDING_STD = 0.2  # with 1 the labels drown the latents: one picture per class


class ConvGenerator(nn.Module):
    """Latents and labels -> images in [-1, 1]: a coarse grid, transposed convolutions, pixel shuffle.

    The last doubling is a pixel shuffle and the discriminator's first halving its inverse, because convolutions with a
    single channel on either side are slow.
    """

    def __init__(self, latent_dim: int, size: ImageSize, classes: int, width: int = 32) -> None:
        super().__init__()
        embedded = 32
        side, doublings = _grid(size.height)
        self.embedding = nn.Embedding(classes, embedded)
        nn.init.normal_(self.embedding.weight, std=EMBEDDING_STD)
        layers: list[nn.Module] = [
            nn.Linear(latent_dim + embedded, width * side * side, bias=False),
            Reshape(width, side, side),
            *_normalised(width),
            nn.Conv2d(width, 2 * width, 3, padding=1, bias=False),
            *_normalised(2 * width),
        ]
        channels = 2 * width
        for _ in range(doublings - 1):
            layers += [nn.ConvTranspose2d(channels, width, 4, 2, 1, bias=False), *_normalised(width)]
            channels = width
        layers += [nn.Conv2d(width, 4 * size.channels, 3, padding=1), nn.PixelShuffle(2), nn.Tanh()]
        self.layers = nn.Sequential(*layers)

    def forward(self, latents: Tensor, labels: Tensor) -> Tensor:
        """Latents float [n, d], labels int64 [n] -> float [n, c, h, w]."""
        images: Tensor = self.layers(torch.cat([latents, self.embedding(labels)], 1))
        return images


class ConvDiscriminator(nn.Module):
    """Images and labels -> logits: strided convolutions and a projection head (Miyato and Koyama 2018).

    There is no batch norm: the penalty is one of each image by itself.
    """

    def __init__(self, size: ImageSize, classes: int, width: int = 32) -> None:
        super().__init__()
        side, halvings = _grid(size.height)
        widths = [width * 2**i for i in range(halvings)]
        features = widths[-1]
        layers = [nn.PixelUnshuffle(2), nn.Conv2d(4 * size.channels, width, 3, padding=1), nn.LeakyReLU(0.2)]
        for inputs, outputs in pairwise([*widths, features]):
            layers += [nn.Conv2d(inputs, outputs, 3, 2, 1), nn.LeakyReLU(0.2)]
        layers += [nn.Flatten(), nn.Linear(features * math.ceil(side / 2) ** 2, features), nn.LeakyReLU(0.2)]
        self.layers = nn.Sequential(*layers)
        self.head = nn.Linear(features, 1)
        self.embedding = nn.Embedding(classes, features)
        nn.init.normal_(self.embedding.weight, std=EMBEDDING_STD)

    def forward(self, images: Tensor, labels: Tensor) -> Tensor:
        """Images float [n, c, h, w], labels int64 [n] -> logits float [n]."""
        x = self.layers(images)
        projection = (x * self.embedding(labels)).sum(1) / math.sqrt(x.shape[1])
        logits: Tensor = self.head(x).squeeze(1) + projection
        return logits


def _grid(side: int) -> tuple[int, int]:
    """Side of the coarsest grid, and how many doublings lead from there to `side`: 28 = 7 * 4, 64 = 8 * 8."""
    doublings = 2 if side <= 32 else 3
    return side // 2**doublings, doublings


def _normalised(channels: int) -> tuple[nn.Module, nn.Module]:
    return nn.BatchNorm2d(channels), nn.ReLU()
