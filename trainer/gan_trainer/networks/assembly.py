"""Whole networks, assembled from bodies: latents to images, and images to features.

Labels have the same form in all networks: an embedding appended to the latents, and a projection of the features.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

EMBEDDED = 32  # values per class that are appended to the latents
EMBEDDING_STD = 0.2  # with 1, labels dominate the latents, and the generator draws one image per class


class Generator(nn.Module):
    """Latents (and labels, if there are classes) -> images in [-1, 1]."""

    def __init__(self, layers: Callable[[int], nn.Module], latent_dim: int, classes: int) -> None:
        super().__init__()
        self.embedding = _embedding(classes, EMBEDDED)
        self.layers = layers(latent_dim + (EMBEDDED if classes else 0))
        self.squash = nn.Tanh()

    def forward(self, latents: Tensor, labels: Tensor | None = None) -> Tensor:
        """Latents float [n, d], labels int64 [n] -> images float [n, c, h, w] in [-1, 1]."""
        images: Tensor = self.squash(self.values(latents, labels))
        return images

    def values(self, latents: Tensor, labels: Tensor | None = None) -> Tensor:
        """The input of the tanh: half the logit of a pixel, if images are interpreted as probabilities."""
        known = latents if labels is None else torch.cat([latents, self.embedding(labels)], 1)
        values: Tensor = self.layers(known)
        return values


class Discriminator(nn.Module):
    """Images (and labels) -> logits, with a projection head (Miyato and Koyama 2018)."""

    def __init__(self, layers: nn.Module, features: int, classes: int) -> None:
        super().__init__()
        self.layers = layers
        self.head = nn.Linear(features, 1)
        self.embedding = _embedding(classes, features)

    def forward(self, images: Tensor, labels: Tensor | None = None) -> Tensor:
        """Images float [n, c, h, w], labels int64 [n] -> logits float [n]."""
        return self.judge(self.layers(images), labels)

    def judge(self, x: Tensor, labels: Tensor | None) -> Tensor:
        """Features float [n, f] -> logits float [n]."""
        logits: Tensor = self.head(x).squeeze(1)
        if labels is not None:
            logits = logits + (x * self.embedding(labels)).sum(1) / math.sqrt(x.shape[1])
        return logits


class JointDiscriminator(Discriminator):
    """Pairs of image and latent (and labels) -> logits (Donahue et al. 2017, section 3)."""

    HIDDEN = 512

    def __init__(self, layers: nn.Module, features: int, latent_dim: int, classes: int) -> None:
        super().__init__(layers, self.HIDDEN, classes)
        self.latents = nn.Sequential(nn.Linear(latent_dim, self.HIDDEN), nn.LeakyReLU(0.2))
        self.joint = nn.Sequential(
            nn.Linear(features + self.HIDDEN, self.HIDDEN),
            nn.LeakyReLU(0.2),
            nn.Linear(self.HIDDEN, self.HIDDEN),
            nn.LeakyReLU(0.2),
        )

    def forward(self, images: Tensor, latents: Tensor, labels: Tensor | None = None) -> Tensor:  # type: ignore[override]
        """Images float [n, c, h, w], latents float [n, d], labels int64 [n] -> logits float [n]."""
        return self.judge(self.joint(torch.cat([self.layers(images), self.latents(latents)], 1)), labels)


class Encoder(nn.Module):
    """Images -> latents; or, with `spread`, -> mean and logarithm of the variance side by side."""

    def __init__(self, layers: nn.Module, features: int, latent_dim: int, *, spread: bool = False) -> None:
        super().__init__()
        self.layers = layers
        self.latent_dim = latent_dim
        self.head = nn.Linear(features, latent_dim * (2 if spread else 1))

    def forward(self, images: Tensor) -> Tensor:
        """Images float [n, c, h, w] -> float [n, d] or [n, 2 d]."""
        values: Tensor = self.head(self.layers(images))
        return values


def _embedding(classes: int, features: int) -> nn.Module:
    if not classes:
        return nn.Identity()
    embedding = nn.Embedding(classes, features)
    nn.init.normal_(embedding.weight, std=EMBEDDING_STD)
    return embedding
