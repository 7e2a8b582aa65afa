"""The interface of a system for the training loop: its networks, optimizers and training step."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from gan_runtime.manifest import ImageSize


@dataclass(frozen=True)
class Shapes:
    """What networks are built for.

    Args:
        size: of the images that the generator gives.
        classes: the number of classes that the networks are conditioned on; 0 for none.
        source: of the images that it takes, for translation.
    """

    size: ImageSize
    classes: int = 0
    source: ImageSize | None = None


def _nothing(recipe: Any) -> dict[str, nn.Module]:
    return {}


@dataclass(frozen=True)
class System:
    """How networks for a task are trained.

    Args:
        networks: (recipe, shapes) -> new networks by name, one of them "generator". Raises InputError if the recipe's
            network does not support images of this size.
        step: (state, recipe, **batch) -> losses by name, scalars without gradients. The tensors of a batch are
            passed by name: `images` float [n, c, h, w] in [-1, 1], and `labels` int64 [n]; for translation, the inputs
            `source` float [n, c_in, h, w] in place of `labels`. The loss of a network that
            is not trained in this step is left out.
        optimizers: names of the networks that each optimizer trains. An optimizer whose networks a recipe does not have
            is left out.
        averaged: names of the networks with an exponential moving average, if the recipe uses averages.
        extra: recipe -> modules that are saved with the run and that no optimizer trains.
        counters: names of the system's counters, which start at 0.
        logged: those of its counters that metrics.jsonl records.
        anew: names of the networks that begin with random weights if the run that --init-from names has none.
    """

    networks: Callable[[Any, Shapes], dict[str, nn.Module]]
    step: Callable[..., dict[str, Tensor]]
    optimizers: dict[str, tuple[str, ...]]
    averaged: tuple[str, ...] = ("generator",)
    extra: Callable[[Any], dict[str, nn.Module]] = _nothing
    counters: tuple[str, ...] = ()
    logged: tuple[str, ...] = ("g_steps",)
    anew: tuple[str, ...] = ()
