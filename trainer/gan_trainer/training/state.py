"""Everything that changes while a run trains, in dictionaries by name."""

from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any, ClassVar

import torch
from torch import nn

from gan_runtime.errors import InputError
from gan_trainer.recipes.recipe import Recipe
from gan_trainer.training.average import update_average
from gan_trainer.training.determinism import RandomNumbers
from gan_trainer.training.distributed.processes import ALONE, Processes
from gan_trainer.training.meter import Diverged, LossMeter
from gan_trainer.training.system import System

SHOWN = 4  # tensors named in the message when networks differ


@dataclass
class TrainState:
    """Networks, their averages, optimizers, a system's extra modules, and counters.

    Attributes:
        system: defines the networks and the training step.
        averages: exponential moving averages of networks; empty if the recipe uses none.
        extra: modules that no optimizer trains.
        random: the random state of the run.
        meter: mean losses since the last entry of the log.
        counters: of the system, such as `g_steps`.
        step: number of batches seen.
        images_seen: number of real images seen.
        images_before: images seen by the weights that the run was initialised with; 0 for random weights.
        seconds, eval_seconds: duration of training and of evaluation.
        cpu_seconds: processor time of the training steps, summed over threads.
        speed: images per second in this call of `train`; not saved.
        processes: those that train the run together; not saved. Their states are equal, but for random numbers.
    """

    system: System
    networks: dict[str, nn.Module]
    averages: dict[str, nn.Module]
    optimizers: dict[str, torch.optim.Optimizer]
    extra: dict[str, nn.Module]
    random: RandomNumbers
    meter: LossMeter
    counters: dict[str, int] = field(default_factory=dict)
    step: int = 0
    images_seen: int = 0
    images_before: int = 0
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    eval_seconds: float = 0.0
    speed: float = 0.0
    processes: Processes = ALONE

    PARTS: ClassVar = ("networks", "averages", "optimizers", "extra")
    PROGRESS: ClassVar = ("step", "images_seen", "images_before", "seconds", "cpu_seconds", "eval_seconds")

    @property
    def device(self) -> torch.device:
        """The device of the networks."""
        return next(next(iter(self.networks.values())).parameters()).device

    def averaged(self, name: str) -> nn.Module:
        """The average of a network; the network itself if the recipe uses no average."""
        return self.averages.get(name, self.networks[name])

    def state_dict(self) -> dict[str, Any]:
        """The state as plain containers and tensors, with the states of the random number generators."""
        return {
            **{part: {name: one.state_dict() for name, one in getattr(self, part).items()} for part in self.PARTS},
            **{name: getattr(self, name) for name in self.PROGRESS},
            "counters": dict(self.counters),
            "meter": self.meter.state_dict(),
            "rng": self.random.current(),
        }

    def load_state_dict(self, saved: dict[str, Any]) -> None:
        """Restore what `state_dict` returned, with the states of the random number generators."""
        for part in self.PARTS:
            for name, one in getattr(self, part).items():
                one.load_state_dict(saved[part][name])
        for name in self.PROGRESS:
            setattr(self, name, saved[name])
        self.counters.update(saved["counters"])
        self.meter.load_state_dict(saved["meter"])
        self.random.restore(saved["rng"])

    def take_that_of_first(self) -> None:
        """Take the state of the first process, in a run of several."""
        saved = self.processes.of_first(self.state_dict) if not self.processes.alone else {}
        if not self.processes.first:
            self.load_state_dict(saved)

    def load_weights(self, saved: dict[str, Any]) -> None:
        """Load the weights of networks and averages from another run's checkpoint, and nothing else.

        If the other run kept no average of a network, the average is initialised with its weights. Networks that are
        `System.anew` may be missing there.

        Raises:
            InputError: the networks differ; the message names tensors and shapes.
        """
        there = saved["networks"]
        wrong = [f"{name} is not in this run" for name in there if name not in self.networks]
        wrong += [f"{name} is missing there" for name in self.networks if name not in (*there, *self.system.anew)]
        parts = [(name, network, there[name]) for name, network in self.networks.items() if name in there]
        averages = {name: saved["averages"].get(name) or there.get(name) for name in self.averages}
        parts += [("average", self.averages[name], weights) for name, weights in averages.items() if weights]
        for name, network, weights in parts:
            wrong += _differences(name, network.state_dict(), weights)
        if wrong:
            more = f", and {len(wrong) - SHOWN} more" if len(wrong) > SHOWN else ""
            raise InputError(f"its networks are not those of this run: {'; '.join(wrong[:SHOWN])}{more}")
        for _, network, weights in parts:
            network.load_state_dict(weights)
        self.images_before = saved["images_before"] + saved["images_seen"]

    def check_finite(self) -> None:
        """Raise Diverged, naming the first tensor with a value that is not finite."""
        averages = {f"average.{name}": average for name, average in self.averages.items()}
        for owner, module in (self.networks | averages | self.extra).items():
            for name, tensor in module.state_dict().items():
                if not bool(torch.isfinite(tensor).all()):
                    raise Diverged(f"diverged at step {self.step}: {owner}.{name} is not finite")


def new_state(system: System, networks: dict[str, nn.Module], recipe: Recipe, device: torch.device) -> TrainState:
    """The state of a run before its first step."""
    for network in networks.values():
        network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    averaged = system.averaged if recipe.ema_half_life else ()
    trained = {name: names for name, names in system.optimizers.items() if set(names) <= set(networks)}
    return TrainState(
        system,
        networks,
        {name: deepcopy(networks[name]).requires_grad_(False) for name in averaged},
        {name: _optimizer(recipe, name, [networks[one] for one in names]) for name, names in trained.items()},
        {name: module.to(device) for name, module in system.extra(recipe).items()},
        RandomNumbers(device),
        LossMeter(device),
        dict.fromkeys(system.counters, 0),
    )


def update_averages(state: TrainState, recipe: Recipe, images: int, *, statistics: bool = True) -> None:
    """Update all averages; `images` is the number seen since the last update, including this step's batch.

    `statistics` averages the running statistics of norms, too.
    """
    for name, average in state.averages.items():
        seen = state.images_before + state.images_seen + recipe.batch_size
        update_average(average, state.networks[name], recipe.ema_half_life, seen, images, statistics=statistics)


def _optimizer(recipe: Recipe, name: str, networks: list[nn.Module]) -> torch.optim.Optimizer:
    weights = [weight for network in networks for weight in network.parameters()]
    if recipe.optimizer == "rmsprop":  # torch's defaults for the rest, as in the code of Arjovsky et al. 2017
        return torch.optim.RMSprop(weights, lr=recipe.lr, weight_decay=recipe.weight_decay)
    betas = recipe.betas_of(name)
    return torch.optim.Adam(weights, lr=recipe.lr, betas=betas, weight_decay=recipe.weight_decay, fused=True)


def _differences(part: str, here: dict[str, Any], there: dict[str, Any]) -> list[str]:
    """Messages for the tensors of a network whose names or shapes differ."""
    shapes = [{name: _shape(value) for name, value in tensors.items()} for tensors in (here, there)]
    names = dict.fromkeys([*shapes[0], *shapes[1]])
    return [
        f"{part}.{name} is {shapes[1].get(name, 'missing')} there and {shapes[0].get(name, 'missing')} here"
        for name in names
        if shapes[0].get(name) != shapes[1].get(name)
    ]


def _shape(value: Any) -> str:
    return " x ".join(map(str, value.shape)) or "a number" if isinstance(value, torch.Tensor) else "no tensor"
