"""The interface of a system for the training loop: its networks, optimizers and training step."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from gan_runtime.manifest import ImageSize


def _nothing(recipe: Any) -> dict[str, nn.Module]:
    return {}


@dataclass(frozen=True)
class System:
    """How networks for a task are trained.

    Args:
        networks: (recipe, size of the images, number of classes) -> new networks by name, "generator" among them.
            Raises InputError where the recipe's network cannot draw images of this size.
        step: (state, recipe, **batch) -> losses by name, scalars without gradients. The tensors of a batch come by
            name, as the data has them: `images` float [n, c, h, w] in [-1, 1], and `labels` int64 [n]. A network that
            makes no step has no loss.
        optimizers: names of the networks that each optimizer trains.
        averaged: names of the networks of which an exponential moving average is kept, if the recipe asks for one.
        extra: recipe -> modules whose state belongs to the run and which no optimizer trains.
        counters: names of its own counters, which start at 0.
        logged: those of its counters that metrics.jsonl records.
    """

    networks: Callable[[Any, ImageSize, int], dict[str, nn.Module]]
    step: Callable[..., dict[str, Tensor]]
    optimizers: dict[str, tuple[str, ...]]
    averaged: tuple[str, ...] = ("generator",)
    extra: Callable[[Any], dict[str, nn.Module]] = _nothing
    counters: tuple[str, ...] = ()
    logged: tuple[str, ...] = ("g_steps",)
