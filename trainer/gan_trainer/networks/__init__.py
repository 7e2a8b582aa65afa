"""Generators and discriminators by name: plain nn.Modules.

A generator takes latents float [n, d] (and labels int64 [n] where it is conditional) and gives images float
[n, c, h, w] in [-1, 1]; a discriminator takes such images (and labels) and gives logits float [n].
"""

from torch import nn

from gan_runtime.errors import InputError
from gan_runtime.manifest import ImageSize
from gan_trainer.networks.conv import ConvDiscriminator, ConvGenerator
from gan_trainer.networks.mlp import MLPDiscriminator, MLPGenerator
from gan_trainer.recipes import Recipe


def build_networks(recipe: Recipe, size: ImageSize, classes: int) -> tuple[nn.Module, nn.Module]:
    """A new generator and discriminator for images of `size`; `classes` is 0 for unconditional ones.

    Raises:
        InputError: unknown network, or one that cannot draw images of this size, or cannot be told classes.
    """
    match recipe.network:
        case "mlp" if classes:
            raise InputError("--conditional: the network mlp takes no labels; leave it out, or choose --recipe quick")
        case "mlp":
            return MLPGenerator(recipe.latent_dim, size), MLPDiscriminator(size)
        case "conv" if size.height != size.width:
            raise InputError(f"{size.height} x {size.width} pixels: the network conv takes square images")
        case "conv":
            return (
                ConvGenerator(recipe.latent_dim, size, classes, recipe.width),
                ConvDiscriminator(size, classes, recipe.width),
            )
    raise InputError(f"network {recipe.network!r}: unknown; choose mlp or conv")
