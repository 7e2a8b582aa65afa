"""The search for what draws a picture: Adam in the latents of a generator (Karras et al. 2020, appendix D)."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from gan_trainer.projection.distance import Distance

RATE = 0.1  # of Adam
RISE, FALL = 0.05, 0.25  # parts of the search in which the rate goes up from 0 and down to 0
NOISE, NOISY = 0.05, 0.75  # of the deviation of latents; the part of the search with noise


@dataclass(frozen=True)
class Search:
    """What is searched for, and what it draws.

    Attributes:
        starts: float [k, …, d]; the search begins with the one that is nearest to the picture.
        deviation: the root of the mean squared length of latents, as they are drawn, from their mean.
        draw: float [n, …, d] -> images float [n, c, h, w] around [-1, 1].
        found: what is searched for -> latents as files take them.
    """

    starts: Tensor
    deviation: float
    draw: Callable[[Tensor], Tensor]
    found: Callable[[Tensor], Tensor]


def descend(
    search: Search,
    distance: Distance,
    steps: int,
    seed: int,
    shown: Sequence[int],
    advance: Callable[[int], None],
) -> tuple[Tensor, list[Tensor]]:
    """What draws the images that are nearest to a picture.

    Args:
        search: where it begins.
        distance: to the picture.
        steps: of Adam.
        seed: of the noise.
        shown: steps before which the image is drawn.
        advance: called with 1 after each step.

    Returns:
        Float [1, …, d], and the images of `shown`, float [1, c, h, w] each.
    """
    random = torch.Generator().manual_seed(seed)
    found = nearest(search, distance).requires_grad_()
    optimizer, images = torch.optim.Adam([found], RATE, (0.9, 0.999)), []
    for step in range(steps):
        if step in shown:
            images.append(drawn(search, found))
        optimizer.param_groups[0]["lr"] = RATE * rate(step / steps)
        noise = torch.randn(found.shape, generator=random).to(found.device)
        loss = distance(search.draw(found + search.deviation * strength(step / steps) * noise))
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        advance(1)
    return found.detach(), images


@torch.no_grad()
def nearest(search: Search, distance: Distance) -> Tensor:
    """The start whose image is nearest, [1, …, d]."""
    distances = [float(distance(search.draw(start[None]))) for start in search.starts]
    best = distances.index(min(distances))
    return search.starts[best : best + 1].clone()


@torch.no_grad()
def drawn(search: Search, found: Tensor) -> Tensor:
    """Its images."""
    return search.draw(found)


def rate(done: float) -> float:
    """The factor of the learning rate when a part of the search is `done`, 0 to 1."""
    fall = min(1.0, (1 - done) / FALL)
    return min(1.0, done / RISE) * (0.5 - 0.5 * math.cos(math.pi * fall))


def strength(done: float) -> float:
    """The deviation of the noise, as a part of that of the latents."""
    return NOISE * max(0.0, 1 - done / NOISY) ** 2
