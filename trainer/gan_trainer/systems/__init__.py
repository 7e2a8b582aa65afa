"""The table of systems. Each module names its networks and optimizers, and has a step that reads like its paper."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from gan_runtime.manifest import ImageSize
from gan_trainer.recipes.recipe import RECIPES, SETTINGS, Recipe
from gan_trainer.systems import bigan, gan, vae
from gan_trainer.training.config import Config
from gan_trainer.training.determinism import settle_math_library
from gan_trainer.training.state import TrainState, new_state
from gan_trainer.training.system import System

SYSTEMS: dict[str, System] = {"gan": gan.SYSTEM, "bigan": bigan.SYSTEM, "vae": vae.SYSTEM}


def register(system: System, settings: type[Recipe], recipes: Mapping[str, Recipe]) -> None:
    """Add a system to the tables: its recipes can be trained, resumed and exported by name.

    Args:
        system: networks and step.
        settings: the class of its recipes; its field `system` has the system's name.
        recipes: recipes of that class by name.
    """
    SYSTEMS[settings.system], SETTINGS[settings.system] = system, settings
    RECIPES.update(recipes)


def new_networks(recipe: Recipe, size: ImageSize, classes: int) -> dict[str, nn.Module]:
    """New networks of a recipe's system by name, for images of `size`; `classes` is 0 for unconditional ones.

    Raises:
        InputError: the network cannot draw images of this size.
    """
    return SYSTEMS[recipe.system].networks(recipe, size, classes)


def start_state(config: Config, saved: dict[str, Any] | None = None) -> TrainState:
    """The state of a new run, or that of a checkpoint. Seeds torch and sets its number of threads.

    Args:
        config: recipe, size of the images, classes, seed, device and threads.
        saved: what `load_checkpoint` returned, for a run that goes on.
    """
    torch.set_num_threads(config.threads)
    torch.manual_seed(config.seed)
    settle_math_library()
    networks = new_networks(config.recipe, config.data.size, len(config.conditions))
    state = new_state(SYSTEMS[config.recipe.system], networks, config.recipe, torch.device(config.device))
    if saved is not None:
        state.load_state_dict(saved)
    return state
