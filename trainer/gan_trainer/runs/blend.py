"""Interpolate the weights of two runs (ESRGAN, Wang et al. 2018, section 3.4)."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from gan_runtime.errors import InputError
from gan_trainer.runs.folder import Run
from gan_trainer.tasks import task_of
from gan_trainer.training.config import Config


@dataclass(frozen=True)
class Blend:
    """Another run, whose weights are mixed in.

    Args:
        run: the other run.
        checkpoint: a checkpoint of it.
        amount: the share of its weights, 0 to 1.

    Raises:
        InputError: the amount is out of range.
    """

    run: Run
    checkpoint: Path
    amount: float = 0.5

    def __post_init__(self) -> None:
        if not 0 <= self.amount <= 1:
            raise InputError(f"--amount {self.amount:g}: must be between 0 and 1, the share of the run of --blend")

    @property
    def name(self) -> str:
        """The name of the other run."""
        return self.run.folder.resolve().name


def check_blend(config: Config, other: Config, name: str) -> None:
    """Raise InputError unless the weights of a run can be interpolated with those of the other one, called `name`.

    The task says which networks are alike.
    """
    task = task_of(config)
    if task.check_blend is None or task_of(other).name != task.name:
        tasks = " and ".join(dict.fromkeys((task.name, task_of(other).name)))
        raise InputError(f"--blend {name}: interpolates two runs of the task upscale, not of {tasks}")
    if config.own_networks or other.own_networks:
        raise InputError(f"--blend {name}: networks that were given in Python may differ; interpolate them there")
    if reason := task.check_blend(config, other):
        raise InputError(f"--blend {name}: {reason}; only equal networks can be interpolated")


@torch.no_grad()
def mix(networks: Mapping[str, nn.Module], others: Mapping[str, nn.Module], amount: float) -> None:
    """Move the weights of `networks` towards those of `others`, in place: amount 0 changes nothing, 1 gives theirs."""
    for name, network in networks.items():
        theirs: Mapping[str, Tensor] = others[name].state_dict()
        for key, value in network.state_dict().items():
            if value.is_floating_point():
                value.lerp_(theirs[key], amount)
