"""The generator of StyleGAN2: a mapping network from latents to styles, a synthesis network from styles to images."""

import torch
from torch import Tensor, nn

from gan_runtime.manifest import ImageSize
from gan_trainer.networks.stylegan2.mapping import Mapping
from gan_trainer.networks.stylegan2.synthesis import Synthesis


class StyleGenerator(nn.Module):
    """Latents (and labels) -> images, by way of styles.

    Attributes:
        w_mean: the mean of what the mapping network gives, float [w_dim], which truncation moves styles towards.
            It is tracked in training.
    """

    w_mean: Tensor

    def __init__(self, mapping: Mapping, synthesis: Synthesis, w_dim: int) -> None:
        super().__init__()
        self.mapping, self.synthesis = mapping, synthesis
        self.register_buffer("w_mean", torch.zeros(w_dim))

    @property
    def w_dim(self) -> int:
        """Values per style."""
        return len(self.w_mean)

    @property
    def layers(self) -> int:
        """Styles per image."""
        return self.synthesis.layers

    @property
    def latent_dim(self) -> int:
        """Values per latent; 0 if there are labels alone."""
        return self.mapping.latent_dim

    @property
    def classes(self) -> int:
        """The number of classes; 0 for an unconditional generator."""
        return self.mapping.classes

    @property
    def noise_dim(self) -> int:
        """Values of noise per image."""
        return self.synthesis.noise_dim

    @property
    def size(self) -> ImageSize:
        """Size of the images."""
        return self.synthesis.size

    def styles(self, latents: Tensor | None, labels: Tensor | None = None, truncation: Tensor | None = None) -> Tensor:
        """One style for all layers of each image.

        Args:
            latents: float [n, latent_dim]; None if there are labels alone.
            labels: int64 [n]; None for an unconditional generator.
            truncation: float [1] or [n], how far from the mean style: 1 changes nothing, 0 gives the mean
                (Karras et al. 2019, section B).

        Returns:
            float [n, layers, w_dim].
        """
        styles: Tensor = self.mapping(latents, labels)
        if truncation is not None:
            styles = self.w_mean + truncation[:, None] * (styles - self.w_mean)
        return styles[:, None].expand(-1, self.layers, -1)

    def forward(
        self,
        latents: Tensor | None,
        labels: Tensor | None = None,
        truncation: Tensor | None = None,
        noise: Tensor | None = None,
    ) -> Tensor:
        """Images float [n, c, h, w] around [-1, 1]; arguments as in `styles` and `Synthesis`."""
        images: Tensor = self.synthesis(self.styles(latents, labels, truncation), noise)
        return images

    @torch.no_grad()
    def track_mean(self, styles: Tensor, share: float) -> None:
        """Move `w_mean` by `share` towards the mean of styles float [n, w_dim]."""
        self.w_mean.lerp_(styles.mean(0), share)
