"""Everything that changes while a run trains."""

import math
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import nn

from gan_runtime.errors import InputError
from gan_trainer.networks import Networks
from gan_trainer.recipes.recipe import Recipe
from gan_trainer.training.meter import Diverged, LossMeter

SHOWN = 4  # tensors that are named where networks differ
WARM_UP = 0.1  # early in a run the average forgets within this share of the images seen so far


@dataclass
class TrainState:
    """Networks, optimisers and counters. `average` is the generator that is looked at and exported.

    `images_before` were seen by the weights that the run began with, by random ones none. `step` counts batches,
    `g_steps` steps of the generator, `d_steps` the discriminator's since the last of those. `cpu_seconds` are those of
    the steps alone, of all threads together.
    """

    generator: nn.Module
    discriminator: nn.Module | None
    encoder: nn.Module | None
    average: nn.Module
    g_optimizer: torch.optim.Optimizer  # of the generator and the encoder
    d_optimizer: torch.optim.Optimizer | None
    meter: LossMeter
    step: int = 0
    g_steps: int = 0
    d_steps: int = 0
    images_seen: int = 0
    images_before: int = 0
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    eval_seconds: float = 0.0

    NETWORKS: ClassVar = ("generator", "discriminator", "encoder", "average")
    PARTS: ClassVar = (*NETWORKS, "g_optimizer", "d_optimizer", "meter")
    TIMES: ClassVar = ("seconds", "cpu_seconds", "eval_seconds")
    COUNTERS: ClassVar = ("step", "g_steps", "d_steps", "images_seen", "images_before", *TIMES)

    def present(self, names: tuple[str, ...]) -> dict[str, Any]:
        """Those parts of these names that this recipe has."""
        return {name: getattr(self, name) for name in names if getattr(self, name) is not None}

    def state_dict(self) -> dict[str, Any]:
        """Plain containers and tensors, with the random number generators as they stand."""
        parts = {name: part.state_dict() for name, part in self.present(self.PARTS).items()}
        counters = {name: getattr(self, name) for name in self.COUNTERS}
        device = next(self.generator.parameters()).device
        rng = {
            "cpu": torch.get_rng_state(),
            "cuda": torch.cuda.get_rng_state(device) if device.type == "cuda" else None,
        }
        return parts | counters | {"rng": rng}

    def load_state_dict(self, saved: dict[str, Any]) -> None:
        """Go back to what `state_dict` returned, random number generators included."""
        for name, part in self.present(self.PARTS).items():
            part.load_state_dict(saved[name])
        for name in self.COUNTERS:
            setattr(self, name, saved.get(name, getattr(self, name)))  # older checkpoints have fewer
        torch.set_rng_state(saved["rng"]["cpu"])
        device = next(self.generator.parameters()).device
        if device.type == "cuda" and saved["rng"]["cuda"] is not None:  # a run may go on with another device
            torch.cuda.set_rng_state(saved["rng"]["cuda"], device)

    def load_weights(self, saved: dict[str, Any]) -> None:
        """Take the networks and averages of another run's checkpoint, and nothing else of it.

        Raises:
            InputError: they are other networks; names tensors and shapes.
        """
        parts = self.present(self.NETWORKS)
        if self.average is self.generator:
            del parts["average"]
        known = {name: saved[name] for name in self.NETWORKS if isinstance(saved.get(name), dict)}
        wrong = [f"{name} is not in this run" for name in known if name not in (*parts, "average")]
        wrong += [f"{name} is missing there" for name in parts if name not in known]
        for name, network in parts.items():
            wrong += _differences(name, network.state_dict(), known[name]) if name in known else []
        if wrong:
            more = f", and {len(wrong) - SHOWN} more" if len(wrong) > SHOWN else ""
            raise InputError(f"its networks are not those of this run: {'; '.join(wrong[:SHOWN])}{more}")
        for name, network in parts.items():
            network.load_state_dict(known[name])
        self.images_before = saved.get("images_before", 0) + saved["images_seen"]

    def check_finite(self) -> None:
        """Raise Diverged, naming the first tensor that has a value that is not finite."""
        for part, network in self.present(self.NETWORKS).items():
            for name, tensor in network.state_dict().items():
                if not bool(torch.isfinite(tensor).all()):
                    raise Diverged(f"diverged at step {self.step}: {part}.{name} is not finite")


def new_state(networks: Networks, recipe: Recipe, device: torch.device) -> TrainState:
    """The state of a run before its first step."""
    for network in networks:
        if network is not None:
            network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    generator, discriminator, encoder = networks
    average = deepcopy(generator).requires_grad_(False) if recipe.ema_half_life else generator
    return TrainState(
        generator,
        discriminator,
        encoder,
        average,
        _optimizer(recipe, generator, encoder),
        _optimizer(recipe, discriminator) if discriminator is not None else None,
        LossMeter(device),
    )


def _optimizer(recipe: Recipe, *networks: nn.Module | None) -> torch.optim.Optimizer:
    weights = [weight for network in networks if network is not None for weight in network.parameters()]
    if recipe.optimizer == "rmsprop":  # torch's own defaults, as in the code of Arjovsky et al. 2017
        return torch.optim.RMSprop(weights, lr=recipe.lr, weight_decay=recipe.weight_decay)
    return torch.optim.Adam(weights, lr=recipe.lr, betas=recipe.betas, weight_decay=recipe.weight_decay, fused=True)


@torch.no_grad()
def update_average(state: TrainState, recipe: Recipe, images: int) -> None:
    """Exponential moving average of weights and running statistics (Karras et al. 2018), half-life in images.

    `images` have been seen since the last update.
    """
    if not recipe.ema_half_life:
        return
    half_life = min(recipe.ema_half_life, WARM_UP * (state.images_before + state.images_seen + recipe.batch_size))
    share = 1.0 - math.pow(0.5, images / half_life)
    old = state.average.state_dict(keep_vars=True)
    new = state.generator.state_dict(keep_vars=True)
    for name, tensor in old.items():
        if tensor.is_floating_point():
            tensor.lerp_(new[name], share)


def learning_rate(recipe: Recipe, images_seen: int) -> float:
    """The rate at this point of the run: constant, then falling from `decay_from` to `lr_end` of itself at the end."""
    progress = min(1.0, images_seen / recipe.images)
    rest = (1.0 - progress) / (1.0 - recipe.decay_from) if progress > recipe.decay_from else 1.0
    if recipe.decay == "cosine":
        rest = 0.5 - 0.5 * math.cos(math.pi * rest)
    return recipe.lr * (recipe.lr_end + (1.0 - recipe.lr_end) * rest)


def set_learning_rate(state: TrainState, recipe: Recipe) -> float:
    """Let all optimisers take the `learning_rate` of this point of the run, and return it."""
    rate = learning_rate(recipe, state.images_seen)
    for optimizer in (state.g_optimizer, state.d_optimizer):
        for group in optimizer.param_groups if optimizer is not None else ():
            group["lr"] = rate
    return rate


def _differences(part: str, here: dict[str, Any], there: dict[str, Any]) -> list[str]:
    """Tensors of a network that are not the same in both, by name and shape."""
    shapes = [{name: _shape(value) for name, value in tensors.items()} for tensors in (here, there)]
    names = dict.fromkeys([*shapes[0], *shapes[1]])
    return [
        f"{part}.{name} is {shapes[1].get(name, 'missing')} there and {shapes[0].get(name, 'missing')} here"
        for name in names
        if shapes[0].get(name) != shapes[1].get(name)
    ]


def _shape(value: Any) -> str:
    return " x ".join(map(str, value.shape)) or "a number" if isinstance(value, torch.Tensor) else "no tensor"
