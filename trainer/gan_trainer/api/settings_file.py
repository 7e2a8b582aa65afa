"""Settings of a run in a file: TOML or JSON written by hand, or the config.json of a run."""

import json
import tomllib
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from gan_runtime.errors import InputError
from gan_trainer.recipes.checks import AUTO, RUN_BOUNDS, check_value
from gan_trainer.recipes.recipe import changeable
from gan_trainer.recipes.words import python_names

ARGUMENTS: dict[str, Any] = {  # settings that are not fields of a recipe
    "data": str,
    "recipe": str,
    "epochs": float,
    "seed": int,
    "device": str,
    "threads": int,
    "name": str,
    "runs_dir": str,
    "init_from": str,
    "data_dir": str,
    "offline": bool,
    "size": int,
    "mode": str,
    "background": str,
    "levels": tuple[float, float],
    "max_pixels": int,
    "labels": str,
    "skip_bad": bool,
    "follow_links": bool,
    "hold_out": float,
    "input": str,
    "direction": str,
    "input_mode": str,
    "features": str,
    "keep_checkpoints": int,
    "tensorboard": bool,
    "profile": bool,
    "compile": bool,
}


def read_settings(path: Path) -> dict[str, Any]:
    """The settings in a file, by the names of gan-train's flags with underscores.

    Args:
        path: a .toml file, or a JSON file: an object of settings, or what a run has in its config.json.

    Raises:
        InputError: the file cannot be read, or has an unknown key or a value of a wrong type; names file and key.
    """
    document = _parsed(path)
    if "recipe_name" in document:
        return _of_run(document, path)
    kinds = _kinds()
    if document.get("threads") == AUTO:  # what is not given is chosen
        del document["threads"]
    for key, value in document.items():
        if key not in kinds:
            near = get_close_matches(key, kinds, 1)
            raise InputError(f"{path}: unknown key {key!r}" + (f"; did you mean {near[0]}?" if near else ""))
        document[key] = _checked(path, key, value, *kinds[key])
    return document


def _parsed(path: Path) -> dict[str, Any]:
    try:
        content = path.read_bytes()
        document = tomllib.loads(content.decode()) if path.suffix == ".toml" else json.loads(content)
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise InputError(f"{path}: is not {'TOML' if path.suffix == '.toml' else 'JSON'}: {error}") from None
    if not isinstance(document, dict):
        raise InputError(f"{path}: must hold settings by name, not {type(document).__name__}")
    return document


def _of_run(document: dict[str, Any], path: Path) -> dict[str, Any]:
    from gan_trainer.data.source import IN_MEMORY  # noqa: PLC0415  (torch is imported for these files alone)
    from gan_trainer.report.repeat import settings  # noqa: PLC0415
    from gan_trainer.training.config import Config  # noqa: PLC0415

    config = Config.from_dict(document, str(path))
    if config.own_networks or config.data.source == IN_MEMORY:
        what = "networks" if config.own_networks else "images"
        raise InputError(f"{path}: the {what} of this run were given in Python; start it there, with gan_trainer.train")
    if config.init_from is not None:
        raise InputError(
            f"{path}: this run began with the weights of {config.init_from['run']}; write a file of its settings, "
            "with init_from"
        )
    return {name: value for name, value in settings(config).items() if value is not None}


def _kinds() -> dict[str, tuple[Any, Mapping[str, Any]]]:
    """Type of each setting, and its bounds and choices."""
    found: dict[str, tuple[Any, Mapping[str, Any]]] = {
        name: (kind, {"bounds": RUN_BOUNDS.get(name, {})}) for name, kind in ARGUMENTS.items()
    }
    found.update({name: (kind, field.metadata) for name, (field, kind) in changeable().items()})
    return found


def _checked(path: Path, key: str, value: Any, kind: Any, limits: Mapping[str, Any]) -> Any:
    """The value of a key, a tuple for a list. Raises InputError where it has another type or is out of its limits."""
    value = tuple(value) if isinstance(value, list) else value
    try:
        check_value(key, value, kind, limits["bounds"])
    except InputError as error:
        words = python_names(str(error)).replace("True or False", "true or false").replace("a tuple", "a list")
        raise InputError(f"{path}: {words}") from None
    if (choices := limits.get("choices")) and value not in choices:
        raise InputError(f"{path}: {key} {value}: unknown; choose one of {', '.join(choices)}")
    return value
