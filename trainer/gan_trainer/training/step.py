"""Functions shared by the training steps of several systems."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from gan_trainer.recipes.recipe import Recipe
from gan_trainer.training.state import TrainState


def descend(state: TrainState, name: str, loss: Tensor) -> None:
    """One step of the optimizer `name`. Gradients are computed and applied here and nowhere else."""
    optimizer = state.optimizers[name]
    optimizer.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    optimizer.step()


def draw_latents(recipe: Recipe, like: Tensor) -> Tensor:
    """As many latents as `like` has rows: float [n, d], N(0, 1) or U(-1, 1)."""
    shape = (len(like), recipe.latent_dim)
    if recipe.latents == "uniform":
        return torch.rand(shape, device=like.device) * 2 - 1
    return torch.randn(shape, device=like.device)


def count_generator_step(counters: dict[str, int]) -> None:
    """Count a step of the generator; the discriminator's steps are counted from it on."""
    counters["g_steps"], counters["d_steps"] = counters["g_steps"] + 1, 0


@contextmanager
def frozen(network: nn.Module) -> Iterator[nn.Module]:
    """A network whose weights need no gradients within the block."""
    network.requires_grad_(False)
    try:
        yield network
    finally:
        network.requires_grad_(True)


@torch.no_grad()
def clip_weights(network: nn.Module, bound: float) -> None:
    """Every weight into [-bound, bound] (Arjovsky et al. 2017, algorithm 1, line 7)."""
    for weight in network.parameters():
        weight.clamp_(-bound, bound)


def autocast(images: Tensor, recipe: Recipe) -> torch.autocast:
    """bf16 for matrix products and convolutions where the recipe says so."""
    return torch.autocast(images.device.type, torch.bfloat16, enabled=recipe.bf16)
