"""What the families' steps have in common."""

from typing import Protocol, TypeAlias

import torch
from torch import Tensor, nn

from gan_trainer.losses.penalties import PENALTIES, Critic, gradient_penalty
from gan_trainer.recipes.recipe import Recipe
from gan_trainer.training.state import TrainState

Losses: TypeAlias = tuple[Tensor | None, Tensor | None]
EARLY, LONG_INTERVAL = 25, 500  # generator steps: when a Wasserstein critic is trained for longer


class Turns(Protocol):
    """As much of a `TrainState` as says whose turn it is."""

    g_steps: int
    d_steps: int


def draw_latents(recipe: Recipe, like: Tensor) -> Tensor:
    """As many latents as `like` has rows: float [n, d], N(0, 1) or U(-1, 1)."""
    shape = (len(like), recipe.latent_dim)
    if recipe.latents == "uniform":
        return torch.rand(shape, device=like.device) * 2 - 1
    return torch.randn(shape, device=like.device)


def penalties(state: TrainState, recipe: Recipe, critic: Critic, real: Tensor, fake: Tensor) -> Tensor | float:
    """The weighted sum of the recipe's penalties; 0 in steps between two of them (Karras et al. 2020, section 3.1)."""
    if not recipe.penalties or state.step % recipe.penalty_every:
        return 0.0
    kinds = [PENALTIES[name] for name in recipe.penalties]
    total = sum(gradient_penalty(critic, real, fake, kind.where, kind.form) for kind in kinds)
    return recipe.penalty_every * recipe.penalty_weight * total


def generator_is_due(state: Turns, recipe: Recipe) -> bool:
    """Whether the discriminator has made its steps (Arjovsky et al. 2017, algorithm 1, and its authors' code)."""
    warm = recipe.warm_critic and (state.g_steps < EARLY or state.g_steps % LONG_INTERVAL == 0)
    return state.d_steps >= (recipe.warm_critic if warm else recipe.critic_steps)


def descend(optimizer: torch.optim.Optimizer, loss: Tensor) -> None:
    """One step of an optimiser, from no gradients."""
    optimizer.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    optimizer.step()


@torch.no_grad()
def clip_weights(network: nn.Module, bound: float) -> None:
    """Every weight into [-bound, bound] (Arjovsky et al. 2017, algorithm 1, line 7)."""
    for weight in network.parameters():
        weight.clamp_(-bound, bound)


def autocast(images: Tensor, recipe: Recipe) -> torch.autocast:
    """bf16 for matrix products and convolutions where the recipe says so."""
    return torch.autocast(images.device.type, torch.bfloat16, enabled=recipe.bf16)
