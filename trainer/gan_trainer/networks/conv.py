"""Small convolutional networks, class-conditional where there are classes, for square images."""

import math
from itertools import pairwise

import torch
from torch import Tensor, nn

from gan_runtime.errors import InputError
from gan_runtime.manifest import ImageSize
from gan_trainer.networks.layers import Reshape

EMBEDDING_STD = 0.2  # with 1 the labels drown the latents: one picture per class


class ConvGenerator(nn.Module):
    """Latents (and labels, if there are classes) -> images in [-1, 1]: a coarse grid that is doubled until it fits.

    The last doubling is a pixel shuffle and the discriminator's first halving its inverse, because convolutions with a
    single channel on either side are slow. `width` is the number of channels at half the image's side; each coarser
    grid has twice as many.
    """

    def __init__(self, latent_dim: int, size: ImageSize, classes: int, width: int = 32) -> None:
        super().__init__()
        embedded = 32 if classes else 0
        side, doublings = coarse_grid(size.height)
        widths = [width * 2**i for i in reversed(range(doublings))]
        self.embedding = _embedding(classes, embedded)
        layers: list[nn.Module] = [
            nn.Linear(latent_dim + embedded, widths[0] // 2 * side * side, bias=False),
            Reshape(widths[0] // 2, side, side),
            *_normalised(widths[0] // 2),
            nn.Conv2d(widths[0] // 2, widths[0], 3, padding=1, bias=False),
            *_normalised(widths[0]),
        ]
        for inputs, outputs in pairwise(widths):
            layers += [nn.ConvTranspose2d(inputs, outputs, 4, 2, 1, bias=False), *_normalised(outputs)]
        layers += [nn.Conv2d(width, 4 * size.channels, 3, padding=1), nn.PixelShuffle(2), nn.Tanh()]
        self.layers = nn.Sequential(*layers)

    def forward(self, latents: Tensor, labels: Tensor | None = None) -> Tensor:
        """Latents float [n, d], labels int64 [n] -> float [n, c, h, w]."""
        known = latents if labels is None else torch.cat([latents, self.embedding(labels)], 1)
        images: Tensor = self.layers(known)
        return images


class ConvDiscriminator(nn.Module):
    """Images (and labels) -> logits: strided convolutions and a projection head (Miyato and Koyama 2018).

    There is no batch norm: the penalty is one of each image by itself.
    """

    def __init__(self, size: ImageSize, classes: int, width: int = 32) -> None:
        super().__init__()
        side, halvings = coarse_grid(size.height)
        widths = [width * 2**i for i in range(halvings)]
        features = widths[-1]
        layers = [nn.PixelUnshuffle(2), nn.Conv2d(4 * size.channels, width, 3, padding=1), nn.LeakyReLU(0.2)]
        for inputs, outputs in pairwise([*widths, features]):
            layers += [nn.Conv2d(inputs, outputs, 3, 2, 1), nn.LeakyReLU(0.2)]
        layers += [nn.Flatten(), nn.Linear(features * math.ceil(side / 2) ** 2, features), nn.LeakyReLU(0.2)]
        self.layers = nn.Sequential(*layers)
        self.head = nn.Linear(features, 1)
        self.embedding = _embedding(classes, features)

    def forward(self, images: Tensor, labels: Tensor | None = None) -> Tensor:
        """Images float [n, c, h, w], labels int64 [n] -> logits float [n]."""
        x = self.layers(images)
        logits: Tensor = self.head(x).squeeze(1)
        if labels is not None:
            logits = logits + (x * self.embedding(labels)).sum(1) / math.sqrt(x.shape[1])
        return logits


def coarse_grid(side: int) -> tuple[int, int]:
    """Side of the coarsest grid, at most 8, and how many doublings lead from there to `side`: 28 = 7 * 4, 64 = 8 * 8.

    Raises:
        InputError: doubling a whole number does not lead to `side`.
    """
    doublings = max(2, math.ceil(math.log2(side / 8)))
    factor = 2**doublings
    if side % factor:
        lower = side // factor * factor
        sides = f"{lower} or {lower + factor}"
        raise InputError(f"{side} x {side} pixels: the network conv doubles a small grid; choose {sides}")
    return side // factor, doublings


def _embedding(classes: int, features: int) -> nn.Module:
    if not classes:
        return nn.Identity()
    embedding = nn.Embedding(classes, features)
    nn.init.normal_(embedding.weight, std=EMBEDDING_STD)
    return embedding


def _normalised(channels: int) -> tuple[nn.Module, nn.Module]:
    return nn.BatchNorm2d(channels), nn.ReLU()
