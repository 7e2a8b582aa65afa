"""The table of systems. Each module defines the networks, optimizers and training step of one family of models."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import nn

from gan_runtime.errors import InputError
from gan_trainer.recipes.recipe import RECIPES, SETTINGS, Recipe
from gan_trainer.systems import bigan, esrgan, gan, paired, sr, stylegan2, unpaired, vae
from gan_trainer.training.config import Config
from gan_trainer.training.determinism import RandomNumbers, number_of_threads, settle_math_library
from gan_trainer.training.distributed.batch_norm import synchronised
from gan_trainer.training.distributed.processes import ALONE, Processes
from gan_trainer.training.state import TrainState, new_state
from gan_trainer.training.system import Shapes, System

SYSTEMS: dict[str, System] = {
    "gan": gan.SYSTEM,
    "bigan": bigan.SYSTEM,
    "vae": vae.SYSTEM,
    "stylegan2": stylegan2.SYSTEM,
    "paired": paired.SYSTEM,
    "unpaired": unpaired.SYSTEM,
    "sr": sr.SYSTEM,
    "esrgan": esrgan.SYSTEM,
}


def register(system: System, settings: type[Recipe], recipes: Mapping[str, Recipe]) -> None:
    """Add a system to the tables: its recipes can be trained, resumed and exported by name.

    Args:
        system: networks and step.
        settings: the class of its recipes; its field `system` has the system's name.
        recipes: recipes of that class by name.
    """
    SYSTEMS[settings.system], SETTINGS[settings.system] = system, settings
    RECIPES.update(recipes)


def new_networks(recipe: Recipe, shapes: Shapes) -> dict[str, nn.Module]:
    """New networks of a recipe's system by name.

    Raises:
        InputError: the network cannot draw images of this size.
    """
    return SYSTEMS[recipe.system].networks(recipe, shapes)


def with_networks(recipe: Recipe, own: Mapping[str, nn.Module]) -> System:
    """The recipe's system with some networks, by name, in place of those that it would make.

    Raises:
        InputError: the system trains no network of such a name.
    """
    system = SYSTEMS[recipe.system]
    names = [name for group in system.optimizers.values() for name in group]
    for name in own:
        if name not in names:
            raise InputError(f"networks: {recipe.system} has no {name!r}; it trains {', '.join(names)}")

    def networks(recipe: Recipe, shapes: Shapes) -> dict[str, nn.Module]:
        made = {} if set(own) == set(names) else system.networks(recipe, shapes)  # perhaps not all: pix2pix-l1
        found = {**made, **own}
        return {name: found[name] for name in names if name in found}

    return replace(system, networks=networks) if own else system


def start_state(
    config: Config,
    saved: dict[str, Any] | None = None,
    system: System | None = None,
    processes: Processes = ALONE,
) -> TrainState:
    """The state of a new run, or of a checkpoint. Torch's generators and number of threads are left unchanged.

    Args:
        config: recipe, size of the images, classes, seed, device and threads.
        saved: the result of `load_checkpoint`, to resume a run.
        system: replaces the recipe's system; it must have the same names of networks and optimizers.
        processes: those that train the run together.

    Raises:
        InputError: the recipe wants synchronised batch norms, and the networks have none.
    """
    settle_math_library()
    system, device = system or SYSTEMS[config.recipe.system], torch.device(config.device)
    random = RandomNumbers(device)
    with number_of_threads(config.threads), random.used():
        random.seed(config.seed)
        networks = system.networks(config.recipe, config.shapes)
        if config.recipe.sync_batch_norm and not processes.alone:
            _synchronise(networks)
        state = new_state(system, networks, config.recipe, device)
    state.random, state.processes = random, processes
    if saved is not None:
        state.load_state_dict(saved)
    return state


def _synchronise(networks: Mapping[str, nn.Module]) -> None:
    if not sum(synchronised(network) for network in networks.values()):
        raise InputError("--sync-batch-norm: the networks have no batch norm; leave it out")
