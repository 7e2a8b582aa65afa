"""The command that repeats a run, worked out from its configuration."""

import inspect
import shlex
from dataclasses import asdict
from typing import Any

from gan_runtime.images.options import PictureOptions
from gan_trainer.commands.train import train
from gan_trainer.recipes.recipe import RECIPES
from gan_trainer.training.config import Config

NO_SETTINGS = ("data", "recipe_name", "recipe", "asked", "init_from", "history")  # what the other flags say, or none


def command(config: Config) -> str:
    """A line for the shell that starts the same run again: what was chosen by itself is named, what is usual is not."""
    data, settings = config.data, config.to_dict()
    flags = {
        "recipe": config.recipe_name,
        **{name: getattr(config.recipe, name) for name in changes(config)},
        **_pictures(data.pictures),
        **{name: value for name, value in settings.items() if name not in NO_SETTINGS},
        "data_dir": data.folder,
    }
    return shlex.join(["gan-train", data.source, *(word for flag in flags.items() for word in _flag(*flag))])


def changes(config: Config) -> dict[str, Any]:
    """Fields of the recipe that differ from the table of this version."""
    usual = asdict(RECIPES[config.recipe_name]) if config.recipe_name in RECIPES else {}
    return {name: value for name, value in asdict(config.recipe).items() if usual.get(name) != value}


def without_flag(config: Config) -> list[str]:
    """Those of them that the command cannot say: the table has changed since, or the run was not begun by gan-train."""
    return [name for name in changes(config) if not _flag(name, getattr(config.recipe, name))]


def _pictures(options: PictureOptions | None) -> dict[str, Any]:
    usual = asdict(PictureOptions())
    return {name: value for name, value in asdict(options).items() if value != usual[name]} if options else {}


def _flag(name: str, value: Any) -> list[str]:
    """The words that say so; none for what has no flag."""
    option = name.replace("_", "-")
    if value is None or name not in inspect.signature(train).parameters:
        return []
    if isinstance(value, bool):
        return [f"--{option}" if value else f"--no-{option}"]
    return [f"--{option}", *map(str, value if isinstance(value, tuple | list) else [value])]
