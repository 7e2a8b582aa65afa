"""Latents to images: the GAN of Goodfellow et al. 2014 and its descendants."""

import torch
from torch import Tensor

from gan_trainer.augmentations import augment
from gan_trainer.objectives import OBJECTIVES
from gan_trainer.penalties import r1_penalty
from gan_trainer.recipes import Recipe
from gan_trainer.state import TrainState, update_average


def train_step(state: TrainState, recipe: Recipe, real: Tensor, labels: Tensor) -> Tensor:
    """A discriminator step and a generator step on one batch (Goodfellow et al. 2014, algorithm 1, with k = 1).

    Args:
        state: is changed in place.
        recipe: objective, penalty, precision, and whether both steps share their passes.
        real: float [n, c, h, w] in [-1, 1].
        labels: int64 [n]; an unconditional recipe ignores them.

    Returns:
        float [2], detached: the discriminator's loss without its penalty, and the generator's.
    """
    condition = (labels,) if recipe.conditional else ()
    with torch.set_grad_enabled(recipe.share_passes):
        fake = generate(state, recipe, real, condition)
    d_loss, real_logits = discriminator_step(state, recipe, real, fake.detach(), condition)
    if not recipe.share_passes:
        fake = generate(state, recipe, real, condition)
        if OBJECTIVES[recipe.objective].paired:
            with torch.no_grad():
                real_logits = discriminate(state, recipe, real, condition)
    g_loss = generator_step(state, recipe, real_logits, fake, condition)
    update_average(state, recipe)
    return torch.stack([d_loss, g_loss])


def discriminator_step(
    state: TrainState, recipe: Recipe, real: Tensor, fake: Tensor, condition: tuple[Tensor, ...]
) -> tuple[Tensor, Tensor]:
    """One step of the discriminator, real and generated images in one batch: its loss, and the real logits."""
    both = tuple(torch.cat([labels, labels]) for labels in condition)
    real_logits, fake_logits = discriminate(state, recipe, torch.cat([real, fake]), both).chunk(2)
    loss = OBJECTIVES[recipe.objective].d_loss(real_logits, fake_logits)
    total = loss
    if recipe.r1_gamma and state.step % recipe.r1_every == 0:
        penalty = r1_penalty(lambda images: discriminate(state, recipe, images, condition), real)
        total = loss + recipe.r1_every * 0.5 * recipe.r1_gamma * penalty
    state.d_optimizer.zero_grad(set_to_none=True)
    total.backward()  # type: ignore[no-untyped-call]
    state.d_optimizer.step()
    return loss.detach(), real_logits.detach()


def generator_step(
    state: TrainState, recipe: Recipe, real_logits: Tensor, fake: Tensor, condition: tuple[Tensor, ...]
) -> Tensor:
    """One step of the generator through the discriminator, whose weights need no gradients meanwhile: its loss."""
    state.discriminator.requires_grad_(False)
    loss = OBJECTIVES[recipe.objective].g_loss(real_logits, discriminate(state, recipe, fake, condition))
    state.g_optimizer.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    state.g_optimizer.step()
    state.discriminator.requires_grad_(True)
    return loss.detach()


def generate(state: TrainState, recipe: Recipe, real: Tensor, condition: tuple[Tensor, ...]) -> Tensor:
    """As many images as `real` has, from fresh latents N(0, 1): float [n, c, h, w]."""
    latents = torch.randn(len(real), recipe.latent_dim, device=real.device)
    with autocast(real, recipe):
        images: Tensor = state.generator(latents, *condition)
    return images.float()


def discriminate(state: TrainState, recipe: Recipe, images: Tensor, condition: tuple[Tensor, ...]) -> Tensor:
    """Logits of the images, augmented if the recipe says so, float [n]."""
    seen = augment(images, recipe.augmentations)
    with autocast(images, recipe):
        logits: Tensor = state.discriminator(seen, *condition)
    return logits.float()


def autocast(images: Tensor, recipe: Recipe) -> torch.autocast:
    """bf16 for matrix products and convolutions where the recipe says so."""
    return torch.autocast(images.device.type, torch.bfloat16, enabled=recipe.precision == "bf16")
