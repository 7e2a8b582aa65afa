"""Small generators with styles, whose weights, noise and mean style all have an effect."""

import torch

from gan_runtime.manifest import ImageSize
from gan_trainer.networks.stylegan2 import Mapping, StyleGenerator, Synthesis, grid_channels

SMALL = ImageSize(8, 8, 3)


def styled_generator(
    size: ImageSize = SMALL,
    classes: int = 0,
    latent_dim: int = 6,
    width: int = 4,
    most: int = 6,
    *,
    noisy: bool = True,
) -> StyleGenerator:
    """Latents float [n, 6] -> images, by styles float [n, layers, 5]; its values lie a little beyond [-1, 1]."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        mapping = Mapping(latent_dim, classes, 5, 2, 0.01)
        synthesis = Synthesis(size, 5, grid_channels(size, width, most), noisy=noisy)
        network = StyleGenerator(mapping, synthesis, 5)
        with torch.no_grad():
            network.w_mean.normal_()
            for name, values in network.named_parameters():
                if name.endswith("noise_strength"):
                    values.fill_(0.3)
                if name.endswith("bias"):
                    values.add_(0.2 * torch.randn_like(values))
    return network
