"""Images or points of a generator in training: those that its exported file will draw from the same latents."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from gan_runtime.images.grids import grid
from gan_runtime.laboratory.scatter import scatter
from gan_runtime.latents import default_labels, draw_latents
from gan_trainer.data.pixels import denormalise, to_pixels
from gan_trainer.training.config import Config
from gan_trainer.training.state import TrainState

BATCH = 500
PREVIEW_IMAGES, PREVIEW_COLUMNS, PREVIEW_POINTS = 100, 10, 2_500


def preview(config: Config, state: TrainState) -> NDArray[np.uint8]:
    """A grid of the same latents every time, by the averaged generator; of points a scatter plot on the same axes."""
    points, generator = config.data.points, state.averaged("generator")
    drawn = np.concatenate(list(draw_images(generator, config, PREVIEW_POINTS if points else PREVIEW_IMAGES)))
    return scatter(drawn, points.extent, points) if points else grid(drawn, PREVIEW_COLUMNS)


def draw_images(generator: nn.Module, config: Config, n: int) -> Iterator[NDArray[Any]]:
    """Images 0 .. n - 1 of seed 0, uint8 [at most 500, h, w, c] at a time.

    Points are float32 [at most 500, 2], in the units of the data. The training's random numbers are not advanced.
    """
    training = generator.training
    generator.eval()
    try:
        for first in range(0, n, BATCH):
            yield _draw(generator, config, first, min(BATCH, n - first))
    finally:
        generator.train(training)


@torch.no_grad()
def _draw(generator: nn.Module, config: Config, first: int, count: int) -> NDArray[Any]:
    classes = len(config.conditions)
    inputs = [torch.from_numpy(draw_latents(0, first, count, config.recipe.latent_dim, config.recipe.latents))]
    if classes:
        inputs.append(torch.from_numpy(default_labels(first, count, classes)))
    images = generator(*(values.to(config.device) for values in inputs))
    if config.data.points:
        points: NDArray[np.float32] = (images.float().flatten(1) * config.data.points.extent).cpu().numpy()
        return points
    return to_pixels(denormalise(images.float())).cpu().numpy()
