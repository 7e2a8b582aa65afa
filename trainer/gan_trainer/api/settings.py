"""`recipe` and `load_settings`: what `train` is given."""

from pathlib import Path
from typing import Any

from gan_runtime.errors import InputError
from gan_trainer.api.run import FolderPath
from gan_trainer.api.settings_file import read_settings
from gan_trainer.recipes.checks import check_changes
from gan_trainer.recipes.recipe import Recipe, changeable
from gan_trainer.recipes.recipe import recipe as changed_recipe
from gan_trainer.recipes.words import in_python


@in_python
def recipe(name: str, **changes: Any) -> Recipe:
    """The recipe called `name`, with other values of some fields. It is checked when it is made.

    >>> recipe("quick", images=50_000).images
    50000

    Raises:
        InputError: there is no such recipe, its system has no such setting, a value is out of range, or values
            contradict each other.
    """
    made = changed_recipe(name, **changes)
    check_changes(made, changes)
    return made


@in_python
def load_settings(path: FolderPath) -> dict[str, Any]:
    """The settings in a file, as arguments of `train`: `train(**load_settings("run.toml"))`.

    Args:
        path: a .toml or .json file of settings, or the config.json of a run.

    Raises:
        InputError: the file cannot be read, or has an unknown key or a wrong value; names file and key.
    """
    settings = read_settings(Path(path))
    changes = {key: settings.pop(key) for key in changeable().keys() & set(settings)}
    try:
        return settings | {"recipe": recipe(settings.get("recipe", "quick"), **changes)}
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
