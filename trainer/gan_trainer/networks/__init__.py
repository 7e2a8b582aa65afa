"""Networks by name: plain nn.Modules.

A generator takes latents float [n, d] (and labels int64 [n] where it is conditional) and returns images float
[n, c, h, w] in [-1, 1]. A discriminator takes such images (and labels) and returns logits float [n]. An encoder takes
images and returns latents. Each name stands for two bodies: latents to images, and images to features.
"""

from functools import partial
from types import ModuleType

from torch import nn

from gan_runtime.errors import InputError
from gan_runtime.manifest import ImageSize
from gan_trainer.networks import conv, dcgan, mlp, resnet
from gan_trainer.networks.assembly import Encoder, Generator

BODIES: dict[str, ModuleType] = {"mlp": mlp, "conv": conv, "dcgan": dcgan, "resnet": resnet}


def new_generator(network: str, size: ImageSize, width: int, norm: str, latent_dim: int, classes: int) -> Generator:
    """A new generator of images of `size`; `classes` is 0 for an unconditional one.

    Raises:
        InputError: the network does not support images of this size.
    """
    if network != "mlp" and size.height != size.width:
        raise InputError(f"{size.height} x {size.width} pixels: the network {network} supports square images only")
    layers = partial(BODIES[network].generator_layers, size=size, width=width, norm=norm)
    return Generator(layers, latent_dim, classes)


def new_features(
    network: str, size: ImageSize, width: int, norm: str, dropout: float = 0.0, *, minibatch_std: bool = False
) -> tuple[nn.Module, int]:
    """The body of a discriminator: layers from images to features float [n, f], and f.

    `minibatch_std` adds the deviation within groups of four images to a `conv` body; other bodies ignore it.
    """
    extra = {"deviation": True} if minibatch_std and network == "conv" else {}
    layers, features = BODIES[network].feature_layers(size, width, norm, dropout, **extra)
    return layers, features


def new_encoder(
    network: str, size: ImageSize, width: int, norm: str, latent_dim: int, *, spread: bool = False
) -> Encoder:
    """A new encoder of images of `size`; with `spread` it returns means and logarithms of variances."""
    layers, features = BODIES[network].feature_layers(size, width, norm)
    return Encoder(layers, features, latent_dim, spread=spread)
