"""Latents to images: the GAN of Goodfellow et al. 2014 and its descendants."""

import torch
from torch import Tensor

from gan_trainer.data.augment import augment
from gan_trainer.losses.adversarial import OBJECTIVES
from gan_trainer.recipes.recipe import Recipe
from gan_trainer.training.state import TrainState, update_average
from gan_trainer.training.step import (
    Losses,
    autocast,
    clip_weights,
    descend,
    draw_latents,
    generator_is_due,
    penalties,
)


def train_step(state: TrainState, recipe: Recipe, real: Tensor, labels: Tensor) -> Losses:
    """A discriminator step on one batch, and a generator step when it is due (Goodfellow et al. 2014, algorithm 1).

    Args:
        state: is changed in place.
        recipe: objective, penalties, precision, and whether both steps share their passes.
        real: float [n, c, h, w] in [-1, 1].
        labels: int64 [n]; an unconditional recipe ignores them.

    Returns:
        The discriminator's loss without its penalties, and the generator's.
    """
    condition = (labels,) if recipe.conditional else ()
    with torch.set_grad_enabled(recipe.share_passes):
        fake = generate(state, recipe, real, condition)
    d_loss, real_logits = discriminator_step(state, recipe, real, fake.detach(), condition)
    if not generator_is_due(state, recipe):
        return d_loss, None
    if not recipe.share_passes:
        fake = generate(state, recipe, real, condition)
        if OBJECTIVES[recipe.objective].paired:
            with torch.no_grad():
                real_logits = discriminate(state, recipe, real, condition)
    images = state.d_steps * recipe.batch_size
    g_loss = generator_step(state, recipe, real_logits, fake, condition)
    update_average(state, recipe, images)
    return d_loss, g_loss


def discriminator_step(
    state: TrainState, recipe: Recipe, real: Tensor, fake: Tensor, condition: tuple[Tensor, ...]
) -> tuple[Tensor, Tensor]:
    """One step of the discriminator: its loss, and the real logits.

    Real and generated images go through it in one batch, except under batch norm: each kind has statistics of its own
    (Radford et al. 2016, and all code since).
    """
    assert state.discriminator is not None
    assert state.d_optimizer is not None
    if recipe.d_norm == "batch":
        real_logits, fake_logits = (discriminate(state, recipe, images, condition) for images in (real, fake))
    else:
        both = tuple(torch.cat([labels, labels]) for labels in condition)
        real_logits, fake_logits = discriminate(state, recipe, torch.cat([real, fake]), both).chunk(2)
    loss = OBJECTIVES[recipe.objective].d_loss(real_logits, fake_logits)
    total = loss + penalties(state, recipe, lambda images: discriminate(state, recipe, images, condition), real, fake)
    descend(state.d_optimizer, total)
    if recipe.clip:
        clip_weights(state.discriminator, recipe.clip)
    state.d_steps += 1
    return loss.detach(), real_logits.detach()


def generator_step(
    state: TrainState, recipe: Recipe, real_logits: Tensor, fake: Tensor, condition: tuple[Tensor, ...]
) -> Tensor:
    """One step of the generator through the discriminator, whose weights need no gradients meanwhile: its loss."""
    assert state.discriminator is not None
    state.discriminator.requires_grad_(False)
    loss = OBJECTIVES[recipe.objective].g_loss(real_logits, discriminate(state, recipe, fake, condition))
    descend(state.g_optimizer, loss)
    state.discriminator.requires_grad_(True)
    state.g_steps, state.d_steps = state.g_steps + 1, 0
    return loss.detach()


def generate(state: TrainState, recipe: Recipe, real: Tensor, condition: tuple[Tensor, ...]) -> Tensor:
    """As many images as `real` has, from fresh latents: float [n, c, h, w]."""
    latents = draw_latents(recipe, real)
    with autocast(real, recipe):
        images: Tensor = state.generator(latents, *condition)
    return images.float()


def discriminate(state: TrainState, recipe: Recipe, images: Tensor, condition: tuple[Tensor, ...]) -> Tensor:
    """Logits of the images, augmented if the recipe says so, float [n]."""
    assert state.discriminator is not None
    seen = augment(images, recipe.augmentations)
    with autocast(images, recipe):
        logits: Tensor = state.discriminator(seen, *condition)
    return logits.float()
