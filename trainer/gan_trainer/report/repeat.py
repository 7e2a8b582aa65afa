"""The gan-train command that repeats a run, or the call in Python, made from the run's configuration."""

import shlex
from dataclasses import asdict
from typing import Any

from gan_runtime.data import KNOWN
from gan_runtime.data.domains import PairOptions
from gan_runtime.data.split import SHARE
from gan_runtime.images.options import PictureOptions
from gan_trainer.data.source import IN_MEMORY, DataSource
from gan_trainer.recipes.recipe import RECIPES, changeable
from gan_trainer.training.config import Config

TORCHRUN = ("torchrun", "--nproc-per-node")  # and the number of processes, on one host
NO_SETTINGS = (
    "data",
    "recipe_name",
    "recipe",
    "asked",
    "init_from",
    "own_networks",
    "processes",
    "history",
)  # fields that other flags set, or that have no flag


def command(config: Config) -> str:
    """Shell command that starts the same run again. It names automatic choices and leaves out default values.

    A run whose images or networks were given in Python has a call of `gan_trainer.train` instead, with `data` and
    `networks` as placeholders.
    """
    flags = settings(config)
    if config.data.source == IN_MEMORY or config.own_networks:
        return _call(config, flags)
    start = [*_program(config), flags.pop("data")]
    return shlex.join([*start, *(word for flag in flags.items() for word in _flag(*flag))])


def _program(config: Config) -> list[str]:
    return ["gan-train"] if config.processes == 1 else [*TORCHRUN, str(config.processes), "-m", "gan_trainer"]


def _call(config: Config, flags: dict[str, Any]) -> str:
    data, name = flags.pop("data"), flags.pop("recipe")
    changed = {key: flags.pop(key) for key in changeable().keys() & set(flags)}
    recipe = ", ".join([repr(name), *(f"{key}={changed[key]!r}" for key in sorted(changed))])
    given = [f"{key}={value!r}" for key, value in flags.items() if value is not None]
    if data == IN_MEMORY and config.data.classes:
        given.append(f"class_names={list(config.data.classes)!r}")
    if config.own_networks:
        given.append("networks=networks")
    return ", ".join([f"train({'data' if data == IN_MEMORY else repr(data)}", f"recipe({recipe})", *given]) + ")"


def settings(config: Config) -> dict[str, Any]:
    """The settings that start the same run again, by the names of gan-train's flags with underscores."""
    data, own = config.data, config.to_dict()
    return {
        "data": data.source,
        "recipe": config.recipe_name,
        **{name: getattr(config.recipe, name) for name in changes(config) if name in changeable()},
        **_pictures(data.pictures),
        **_pairs(data.pairs),
        **{name: value for name, value in own.items() if name not in NO_SETTINGS},
        "data_dir": data.folder,
        "hold_out": _hold_out(data),
        "compile": config.compile or None,
    }


def changes(config: Config) -> dict[str, Any]:
    """Fields of the recipe that differ from the recipe of the same name in this version."""
    usual = asdict(RECIPES[config.recipe_name]) if config.recipe_name in RECIPES else {}
    fields = asdict(config.recipe)
    del fields["source"]  # its wording is no setting
    return {name: value for name, value in fields.items() if usual.get(name) != value}


def without_flag(config: Config) -> list[str]:
    """Changed fields that have no flag: the recipe has changed since then, or the run was started from Python."""
    return [name for name in changes(config) if name not in changeable()]


def _pictures(options: PictureOptions | None) -> dict[str, Any]:
    usual = asdict(PictureOptions())
    return {name: value for name, value in asdict(options).items() if value != usual[name]} if options else {}


def _pairs(options: PairOptions | None) -> dict[str, Any]:
    if options is None:
        return {}
    usual = asdict(PairOptions(paired=options.paired))
    return {name: value for name, value in asdict(options).items() if value != usual[name]}


def _hold_out(data: DataSource) -> float | None:
    """The value of --hold-out; None for data with test images, and if it is the default.

    Earlier versions recorded no share for folders, and held out nothing.
    """
    has_tests = data.source in KNOWN or (data.pairs is not None and data.hold_out is None)
    share = data.hold_out or 0.0
    return None if has_tests or share == SHARE else share


def _flag(name: str, value: Any) -> list[str]:
    """The arguments for one option; empty if it has no value."""
    option = name.replace("_", "-")
    if value is None:
        return []
    if isinstance(value, bool):
        return [f"--{option}" if value else f"--no-{option}"]
    return [f"--{option}", *map(str, value if isinstance(value, tuple | list) else [value])]
