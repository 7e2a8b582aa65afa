"""pix2pix (Isola et al. 2017): a generator learns from pairs, against a discriminator of pairs and by L1."""

import torch
from torch import Tensor, nn
from torch.nn.functional import l1_loss

from gan_trainer.recipes.translation import PairedRecipe
from gan_trainer.systems.translation import (
    discriminator,
    discriminator_loss,
    generator,
    generator_loss,
    translate,
    update_translators,
)
from gan_trainer.training.state import TrainState
from gan_trainer.training.step import descend, frozen
from gan_trainer.training.system import Shapes, System


def networks(recipe: PairedRecipe, shapes: Shapes) -> dict[str, nn.Module]:
    """A generator, and a discriminator of inputs with outputs if the recipe has an adversarial loss."""
    source, size = shapes.source or shapes.size, shapes.size
    made: dict[str, nn.Module] = {"generator": generator(recipe, source, size)}
    if recipe.gan_weight:
        made["discriminator"] = discriminator(recipe, size, source.channels + size.channels)
    return made


def step(state: TrainState, recipe: PairedRecipe, source: Tensor, images: Tensor) -> dict[str, Tensor]:
    """Train D to tell (x, y) from (x, G(x)), then G against it and by L1 (Isola et al. 2017, equations 1, 3 and 4).

    Args:
        state: changed in place.
        recipe: objective, weights of the losses, precision.
        source: the inputs x, float [n, c_in, h, w] in [-1, 1].
        images: their true outputs y, float [n, c, h, w] in [-1, 1].

    Returns:
        The losses of both networks without their weights, and the L1 distance, in units of half the range of values.
    """
    fake = translate(state, recipe, "generator", source)
    distance = l1_loss(fake, images)
    loss, losses = recipe.l1_weight * distance, {"l1_loss": distance.detach()}
    if recipe.gan_weight:
        losses["d_loss"] = _train_discriminator(state, recipe, source, images, fake.detach())
        with frozen(state.networks["discriminator"]):
            g_loss = generator_loss(state, recipe, "discriminator", torch.cat([source, fake], 1))
            descend(state, "g", loss + recipe.gan_weight * g_loss)
        losses["g_loss"] = g_loss.detach()
    else:
        descend(state, "g", loss)
    state.counters["g_steps"] += 1
    update_translators(state, recipe, generator=source)
    return losses


def _train_discriminator(
    state: TrainState, recipe: PairedRecipe, source: Tensor, images: Tensor, fake: Tensor
) -> Tensor:
    real_pairs, fake_pairs = (torch.cat([source, other], 1) for other in (images, fake))
    loss = discriminator_loss(state, recipe, "discriminator", real_pairs, fake_pairs)
    descend(state, "d", loss)
    return loss.detach()


SYSTEM = System(
    networks,
    step,
    optimizers={"g": ("generator",), "d": ("discriminator",)},
    counters=("g_steps",),
)
