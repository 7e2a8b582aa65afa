"""The samples of a generator in training: those that its exported file will draw from the same latents."""

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from gan_runtime.latents import default_labels, draw_latents
from gan_trainer.recipes.latents import latents_of
from gan_trainer.training.config import Config

BATCH = 500


def draw(generator: nn.Module, config: Config, n: int) -> Iterator[Tensor]:
    """What the network gives for samples 0 .. n - 1 of seed 0: float [at most 500, c, h, w] at a time.

    The training's random numbers are not advanced.
    """
    training = generator.training
    generator.eval()
    try:
        for first in range(0, n, BATCH):
            yield _draw(generator, config, first, min(BATCH, n - first))
    finally:
        generator.train(training)


@torch.no_grad()
def _draw(generator: nn.Module, config: Config, first: int, count: int) -> Tensor:
    classes = len(config.conditions)
    recipe = latents_of(config.recipe)
    inputs = [torch.from_numpy(draw_latents(0, first, count, recipe.latent_dim, recipe.latents))]
    if classes:
        inputs.append(torch.from_numpy(default_labels(first, count, classes)))
    drawn: Tensor = generator(*(values.to(config.device) for values in inputs))
    return drawn.float()
