"""Networks by name: plain nn.Modules.

A generator takes latents float [n, d] (and labels int64 [n] where it is conditional) and gives images float
[n, c, h, w] in [-1, 1]; a discriminator takes such images (and labels) and gives logits float [n]; an encoder takes
images and gives latents. Each name stands for two bodies, latents to images and images to features.
"""

from functools import partial
from types import ModuleType
from typing import NamedTuple

from torch import nn

from gan_runtime.errors import InputError
from gan_runtime.manifest import ImageSize
from gan_trainer.networks import conv, dcgan, mlp, resnet
from gan_trainer.networks.assembly import Discriminator, Encoder, Generator, JointDiscriminator
from gan_trainer.networks.layers import with_spectral_norm
from gan_trainer.recipes.recipe import Recipe

BODIES: dict[str, ModuleType] = {"mlp": mlp, "conv": conv, "dcgan": dcgan, "resnet": resnet}


class Networks(NamedTuple):
    """What a recipe trains. A VAE has no discriminator; only a BiGAN and a VAE have encoders."""

    generator: nn.Module
    discriminator: nn.Module | None = None
    encoder: nn.Module | None = None


def build_networks(recipe: Recipe, size: ImageSize, classes: int) -> Networks:
    """New networks for images of `size`; `classes` is 0 for unconditional ones.

    Raises:
        InputError: the network cannot draw images of this size.
    """
    if recipe.network != "mlp" and size.height != size.width:
        raise InputError(f"{size.height} x {size.width} pixels: the network {recipe.network} takes square images")
    body = BODIES[recipe.network]
    layers = partial(body.generator_layers, size=size, width=recipe.width, norm=recipe.g_norm)
    generator = Generator(layers, recipe.latent_dim, classes)
    if recipe.family == "autoencoder":
        return Networks(generator, None, _encoder(body, recipe, size, spread=True))
    discriminator = _discriminator(body, recipe, size, classes)
    return Networks(generator, discriminator, _encoder(body, recipe, size) if recipe.family == "joint" else None)


def _discriminator(body: ModuleType, recipe: Recipe, size: ImageSize, classes: int) -> nn.Module:
    extra = {"deviation": True} if recipe.minibatch_std and recipe.network == "conv" else {}
    layers, features = body.feature_layers(size, recipe.width, recipe.d_norm, recipe.dropout, **extra)
    if recipe.family == "joint":
        network: nn.Module = JointDiscriminator(layers, features, recipe.latent_dim, classes)
    else:
        network = Discriminator(layers, features, classes)
    return with_spectral_norm(network) if recipe.d_norm == "spectral" else network


def _encoder(body: ModuleType, recipe: Recipe, size: ImageSize, *, spread: bool = False) -> nn.Module:
    layers, features = body.feature_layers(size, recipe.width, recipe.g_norm)
    return Encoder(layers, features, recipe.latent_dim, spread=spread)
