"""Latents to images: the GAN of Goodfellow et al. 2014 and its descendants."""

import torch
from torch import Tensor

from gan_trainer.objectives import OBJECTIVES
from gan_trainer.penalties import r1_penalty
from gan_trainer.recipes import Recipe
from gan_trainer.state import TrainState, update_average


def train_step(state: TrainState, recipe: Recipe, real: Tensor, labels: Tensor) -> Tensor:
    """A discriminator and a generator step on one batch, each with fresh latents (Goodfellow et al. 2014, algorithm 1).

    Args:
        state: is changed in place.
        recipe: objective, penalty and precision.
        real: float [n, c, h, w] in [-1, 1].
        labels: int64 [n]; an unconditional recipe ignores them.

    Returns:
        float [2], detached: the discriminator's loss without its penalty, and the generator's.
    """
    condition = (labels,) if recipe.conditional else ()
    d_loss = discriminator_step(state, recipe, real, condition)
    g_loss = generator_step(state, recipe, real, condition)
    update_average(state, recipe)
    return torch.stack([d_loss, g_loss])


def discriminator_step(state: TrainState, recipe: Recipe, real: Tensor, condition: tuple[Tensor, ...]) -> Tensor:
    """One step of the discriminator. Real and generated images go through it as one batch."""
    with autocast(real, recipe):
        with torch.no_grad():
            fake = state.generator(latents_for(real, recipe), *condition).to(real.dtype)
        both = torch.cat([real, fake])
        logits = state.discriminator(both, *(torch.cat([labels, labels]) for labels in condition)).float()
    loss = OBJECTIVES[recipe.objective].d_loss(*logits.chunk(2))
    total = loss
    if recipe.r1_gamma and state.step % recipe.r1_every == 0:
        with autocast(real, recipe):
            penalty = r1_penalty(state.discriminator, real, *condition)
        total = loss + recipe.r1_every * 0.5 * recipe.r1_gamma * penalty
    state.d_optimizer.zero_grad(set_to_none=True)
    total.backward()  # type: ignore[no-untyped-call]
    state.d_optimizer.step()
    return loss.detach()


def generator_step(state: TrainState, recipe: Recipe, real: Tensor, condition: tuple[Tensor, ...]) -> Tensor:
    """One step of the generator through the discriminator, whose weights need no gradients meanwhile."""
    objective = OBJECTIVES[recipe.objective]
    state.discriminator.requires_grad_(False)
    with autocast(real, recipe):
        fake_logits = state.discriminator(state.generator(latents_for(real, recipe), *condition), *condition).float()
        real_logits = fake_logits.detach()
        if objective.paired:
            with torch.no_grad():
                real_logits = state.discriminator(real, *condition).float()
    loss = objective.g_loss(real_logits, fake_logits)
    state.g_optimizer.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    state.g_optimizer.step()
    state.discriminator.requires_grad_(True)
    return loss.detach()


def latents_for(real: Tensor, recipe: Recipe) -> Tensor:
    """Fresh latents from N(0, 1), one for each image of the batch: float [n, latent_dim]."""
    return torch.randn(len(real), recipe.latent_dim, device=real.device)


def autocast(real: Tensor, recipe: Recipe) -> torch.autocast:
    """bf16 for matrix products and convolutions where the recipe says so."""
    return torch.autocast(real.device.type, torch.bfloat16, enabled=recipe.precision == "bf16")
