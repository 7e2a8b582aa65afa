"""The settings of a new run: a recipe with its changes, resolved for the data and the device."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from gan_runtime.data import KNOWN
from gan_runtime.data.domains import PairOptions
from gan_runtime.errors import InputError
from gan_runtime.images.options import CHANNELS, PictureOptions
from gan_runtime.manifest import ImageSize
from gan_trainer.data.source import DataSource
from gan_trainer.recipes.base import DOMAIN_OPTIONS
from gan_trainer.recipes.checks import AUTO, changed, check_changes, flag
from gan_trainer.recipes.recipe import Recipe, find_recipe
from gan_trainer.runs import history
from gan_trainer.systems import SYSTEMS, new_networks
from gan_trainer.tasks import find_task
from gan_trainer.training.config import Config, choose_augmentation, choose_precision
from gan_trainer.training.system import Shapes, System
from gan_trainer.training.threads import choose_threads


def pair_options(recipe_name: str, source: str, **given: Any) -> PairOptions | None:
    """How the two domains of the data are found; None for a recipe that learns from the images of one.

    Args:
        recipe_name: a key of `RECIPES`.
        source: as `DataSource` takes it.
        given: fields of `PairOptions`; None where not given.

    Raises:
        InputError: an option does not apply to the recipe, or the data has no two domains.
    """
    learns_from = find_recipe(recipe_name).learns_from
    named = {name: value for name, value in given.items() if value is not None}
    for name, value in named.items():
        if name not in DOMAIN_OPTIONS.get(learns_from, ()):
            raise InputError(f"{flag(name, value)}: --recipe {recipe_name} learns from {learns_from}; leave it out")
    if source in KNOWN and (learns_from in DOMAIN_OPTIONS or learns_from == "photos"):
        what = "photos" if learns_from == "photos" else "two domains"
        raise InputError(f"--recipe {recipe_name}: learns from {what}; name a folder or .zip of pictures")
    return PairOptions(**named, paired=learns_from == "pairs") if learns_from in DOMAIN_OPTIONS else None


def check_reading(learns_from: str, pictures: Mapping[str, Any]) -> None:
    """Raise InputError for options of reading pictures that do not apply to what a recipe learns from."""
    if learns_from == "photos" and pictures.get("size") is not None:
        raise InputError(f"--size {pictures['size']}: photos keep their sizes; --crop gives that of the training crops")


def check_settings(
    source: str,
    recipe_name: str,
    changes: dict[str, Any],
    pictures: PictureOptions | None,
    pairs: PairOptions | None = None,
) -> Recipe:
    """Make the checks of `make_config` that need no data: decoding the data may take minutes.

    Returns:
        The recipe with its changes, unresolved.
    """
    recipe = _changed(source, recipe_name, changes)
    two_domains = recipe.learns_from if recipe.learns_from in DOMAIN_OPTIONS else ""
    if two_domains != (pairs.learns_from if pairs else ""):
        raise InputError(f"--recipe {recipe_name}: learns from {recipe.learns_from}; choose other recipes")
    if pictures is not None:
        size = ImageSize(pictures.size, pictures.size, CHANNELS[pictures.mode])
        inputs = size if pairs is None else replace(size, channels=pairs.channels(pictures))
        new_networks(recipe, Shapes(size, source=inputs))
    return recipe


def make_config(
    data: DataSource,
    recipe_name: str,
    changes: dict[str, Any],
    seed: int,
    device: str,
    threads: int | None,
    keep_checkpoints: int,
    system: System | None = None,
    processes: int = 1,
) -> Config:
    """The resolved settings of a new run.

    Args:
        data: what to train on.
        recipe_name: a key of `RECIPES`.
        changes: new values of fields of the recipe; None keeps a field's value.
        seed: of all random numbers.
        device: cpu or cuda, as `choose_device` returns it.
        threads: None for those that `choose_threads` chooses.
        keep_checkpoints: number of latest checkpoints to keep.
        system: replaces the recipe's system, as in `start_state`.
        processes: the number of processes that train together.

    Raises:
        InputError: a setting is invalid, the batch is larger than the data set, the recipe is conditional and the
            data have no classes, or the networks do not support images of this size.
    """
    recipe = _changed(data.source, recipe_name, changes)
    _check_batch(recipe, data)
    if changes.get("conditional") and not data.classes:
        way = "--labels folders uses the names of sub-folders as classes" if data.pictures else "leave it out"
        raise InputError(f"--conditional: {data.name} has no classes; {way}")
    if "augment" in recipe.unresolved:
        recipe = changed(recipe, {"augment": choose_augmentation(AUTO, data.images)})
    if recipe.on_classes and not data.classes:
        recipe = changed(recipe, {"conditional": False})
    recipe = replace(
        recipe,
        precision=choose_precision(recipe.precision, device),
        eval_every=choose_evaluation(recipe, data.source, changes.get("eval_every")),
    )
    threads = choose_threads() if threads is None else threads
    requested = {name: value for name, value in changes.items() if value is not None}
    config = Config(data, recipe_name, recipe, seed, device, threads, keep_checkpoints, processes, requested)
    (system or SYSTEMS[recipe.system]).networks(config.recipe, config.shapes)  # InputError if they cannot be built
    return config


def _check_batch(recipe: Recipe, data: DataSource) -> None:
    """Raise InputError if a batch is larger than the data set; the message names sizes that are accepted."""
    if recipe.batch_size <= data.images or recipe.learns_from == "photos":  # a photo has many crops
        return
    step = recipe.batch_step
    smallest: int = recipe.__dataclass_fields__["batch_size"].metadata["bounds"]["min"]
    least, most = max(smallest, step), data.images // step * step
    found = f"{data.name} has {data.images:,} {'image' if data.images == 1 else 'images'}"
    if most < least:
        raise InputError(f"{found}: too few; training needs at least {least}")
    sizes = f"{most} or fewer" if most > least else f"{most}"
    groups = f", in steps of {step}" if step > 1 and most > least else ""
    raise InputError(f"--batch-size {recipe.batch_size}: {found}; choose {sizes}{groups}")


def _changed(source: str, recipe_name: str, changes: dict[str, Any]) -> Recipe:
    given = {name: value for name, value in changes.items() if value is not None}
    recipe = find_recipe(recipe_name)
    task = find_task(recipe, source)
    task.check(recipe, given, source)
    recipe = changed(recipe, {**task.defaults, **recipe.implied(given), **given})
    check_changes(recipe, given)
    return recipe


def choose_evaluation(recipe: Recipe, source: str, requested: int | None) -> int:
    """Images between two evaluations, 0 for none. The interval is counted in images, never in seconds.

    The default is the recipe's interval, if the task can evaluate the data and the run is long enough for it
    (`Task.evaluated_from`).
    """
    watched = bool(recipe.patience or recipe.stop_when_collapsed)
    if not recipe.eval_every:
        if watched:
            raise InputError("--patience, --stop-when-collapsed: these need evaluations; remove --eval-every 0")
        return 0
    task = find_task(recipe, source)
    obstacle = task.cannot_judge(source)
    if not obstacle:
        shortest = history.FINAL_SAMPLES if task.evaluated_from is None else task.evaluated_from
        return recipe.eval_every if requested or watched or recipe.images >= shortest else 0
    if requested or watched:
        raise InputError(f"--eval-every, --patience, --stop-when-collapsed: {obstacle}")
    return 0
