"""Small networks that translate images, trained for a moment: outputs of random weights saturate and hide faults."""

from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import torch
from torch import nn

from gan_runtime.manifest import ImageSize
from gan_trainer.data.pixels import denormalise, normalise, to_pixels
from gan_trainer.recipes.recipe import RECIPES
from gan_trainer.systems import new_networks
from gan_trainer.training.determinism import number_of_threads
from gan_trainer.training.system import Shapes

SIDE = 32
GREY, COLOUR = ImageSize(SIDE, SIDE, 1), ImageSize(SIDE, SIDE, 3)
SMALL: dict[str, dict[str, Any]] = {
    "unet": {"recipe": "pix2pix-quick", "width": 8, "downs": 4},
    "transposed": {"recipe": "pix2pix", "width": 24, "downs": 4, "norm": "batch"},
    "resnet": {"recipe": "cyclegan-quick", "width": 8, "blocks": 2},
    "instance": {"recipe": "cyclegan", "width": 8, "blocks": 2, "norm": "instance"},
}
"""Kinds of networks: recipes with these changes. "transposed" has transposed convolutions of many channels."""


def pictures(n: int, size: ImageSize = COLOUR, seed: int = 0) -> np.ndarray:
    """Discs of one colour on another one, with a little noise: uint8 [n, h, w, c]."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[: size.height, : size.width]
    inside = np.stack([(y - cy) ** 2 + (x - cx) ** 2 < r**2 for cy, cx, r in rng.integers(6, 26, (n, 3))])[..., None]
    ink, paper = rng.integers(0, 256, (2, n, 1, 1, size.channels))
    return (np.where(inside, ink, paper) + rng.integers(-9, 10, (n, *size.shape))).clip(0, 255).astype(np.uint8)


@cache
def trained(kind: str, steps: int = 40) -> nn.Module:
    """A network of `SMALL` that has learnt to invert pictures a little."""
    changes = dict(SMALL[kind])
    recipe = replace(RECIPES[changes.pop("recipe")], **changes)
    size = COLOUR if kind in ("resnet", "instance") else GREY
    with torch.random.fork_rng(), number_of_threads(1):
        torch.manual_seed(0)
        network = new_networks(recipe, Shapes(COLOUR, source=size))["generator"].train()
        optimizer = torch.optim.Adam(network.parameters(), 2e-3)
        for step in range(steps):
            source = normalise(torch.from_numpy(pictures(8, size, seed=step)))
            loss = (network(source) + source).abs().mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return network.eval()


@torch.no_grad()
def whole_by_torch(network: Any, images: np.ndarray) -> np.ndarray:
    """The images that torch gives, padded by numpy to what the network takes, and cropped."""
    height, width = images.shape[1:3]
    rows, columns = (
        max(-(-side // network.multiple) * network.multiple, network.least) - side for side in (height, width)
    )
    padded = np.pad(images, ((0, 0), (0, rows), (0, columns), (0, 0)), mode="edge")
    return to_pixels(denormalise(network(normalise(torch.from_numpy(padded))))).numpy()[:, :height, :width]
