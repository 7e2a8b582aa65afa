"""Functions shared by the training steps of several systems."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from gan_trainer.recipes.latents import GenerateRecipe
from gan_trainer.recipes.recipe import Recipe
from gan_trainer.training.distributed.exchange import average_gradients
from gan_trainer.training.state import TrainState


def descend(state: TrainState, name: str, loss: Tensor) -> None:
    """Make one step of the optimizer `name` on `loss`: clear the gradients, compute them, apply them.

    In several processes, the means of their gradients are applied.
    """
    optimizer = state.optimizers[name]
    optimizer.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    average_gradients(state.processes, optimizer)
    optimizer.step()


def draw_latents(recipe: GenerateRecipe, like: Tensor) -> Tensor:
    """Draw one latent per row of `like`: float [n, d], from N(0, 1) or U(-1, 1)."""
    shape = (len(like), recipe.latent_dim)
    if recipe.latents == "uniform":
        return torch.rand(shape, device=like.device) * 2 - 1
    return torch.randn(shape, device=like.device)


def count_generator_step(counters: dict[str, int]) -> None:
    """Count a generator step, and reset the number of discriminator steps since then."""
    counters["g_steps"], counters["d_steps"] = counters["g_steps"] + 1, 0


@contextmanager
def frozen(network: nn.Module) -> Iterator[nn.Module]:
    """Disable gradients of the weights of `network` within the block."""
    network.requires_grad_(False)
    try:
        yield network
    finally:
        network.requires_grad_(True)


@torch.no_grad()
def clip_weights(network: nn.Module, bound: float) -> None:
    """Clip all weights to [-bound, bound] (Arjovsky et al. 2017, algorithm 1, line 7)."""
    for weight in network.parameters():
        weight.clamp_(-bound, bound)


def autocast(images: Tensor, recipe: Recipe) -> torch.autocast:
    """Autocast of matrix products and convolutions to bf16, if the recipe uses bf16."""
    return torch.autocast(images.device.type, torch.bfloat16, enabled=recipe.bf16)
