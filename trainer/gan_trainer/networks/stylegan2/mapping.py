"""The mapping network of StyleGAN (Karras et al. 2019, section 2), with labels as in the code of its authors."""

from itertools import pairwise

import torch
from torch import Tensor, nn

from gan_trainer.networks.stylegan2.equalised import EqualisedLinear

EPSILON = 1e-8


class Mapping(nn.Module):
    """Latents, labels or both -> styles.

    Args:
        latent_dim: values per latent; 0 for labels alone.
        classes: 0 for latents alone.
        style_dim: values per style, and units of all layers.
        layers: linear layers with leaky ReLU.
        rate: learning rate of the layers, relative to that of the network.
    """

    def __init__(self, latent_dim: int, classes: int, style_dim: int, layers: int, rate: float) -> None:
        super().__init__()
        self.latent_dim, self.classes = latent_dim, classes
        self.embed = EqualisedLinear(classes, style_dim) if classes else None
        units = [latent_dim + (style_dim if classes else 0), *[style_dim] * layers]
        self.layers = nn.Sequential(
            *(EqualisedLinear(inputs, outputs, rate=rate, active=True) for inputs, outputs in pairwise(units))
        )

    def forward(self, latents: Tensor | None, labels: Tensor | None = None) -> Tensor:
        """Latents float [n, latent_dim] or None, labels int64 [n] or None -> float [n, style_dim]."""
        parts = [normalised(latents)] if latents is not None and self.latent_dim else []
        if self.embed is not None and labels is not None:
            parts.append(normalised(self.embed.of_labels(labels)))
        styles: Tensor = self.layers(torch.cat(parts, 1) if len(parts) > 1 else parts[0])
        return styles


def normalised(x: Tensor) -> Tensor:
    """Rows float [n, d], scaled to a mean square of 1."""
    return x * (x.square().mean(1, keepdim=True) + EPSILON).rsqrt()
