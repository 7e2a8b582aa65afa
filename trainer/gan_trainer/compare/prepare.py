"""What gan-compare compares: its options, checked, with the data, a configuration for each recipe, and the folder."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gan_runtime.data import KNOWN, Dataset, check_source
from gan_runtime.data.domains import PairOptions
from gan_runtime.data.picture_options import picture_options
from gan_runtime.data.registry import own_evaluation
from gan_runtime.data.split import SHARE
from gan_runtime.errors import DataError, InputError, ModelError
from gan_runtime.evaluation.reference import samples_for
from gan_runtime.images.options import PictureOptions
from gan_trainer.compare.cells import Place
from gan_trainer.compare.plan import Settings
from gan_trainer.data.source import DataSource, load_source
from gan_trainer.recipes.checks import flag
from gan_trainer.recipes.recipe import RECIPES, Recipe, find_recipe
from gan_trainer.runs.settings import check_reading, check_settings, make_config, pair_options
from gan_trainer.tasks import task_of
from gan_trainer.tasks.task import Comparison, Task
from gan_trainer.training.config import Config, choose_device, choose_precision


@dataclass(frozen=True)
class Asked:
    """Options of gan-compare by their names.

    Attributes:
        reading: how images are read, None or False where not given.
        between: how two domains are found, None where not given.
        changes: fields of all recipes that were given.
    """

    data: str
    recipes: str | None
    seconds: float | None
    n: int | None
    output: Path | None
    threads: int
    device: str
    data_dir: Path | None
    offline: bool
    reading: Mapping[str, Any]
    hold_out: float | None
    between: Mapping[str, str | None]
    features: str | None
    changes: Mapping[str, Any]
    quiet: bool


@dataclass(frozen=True)
class Prepared:
    """A comparison that can be planned; `configs` by the names of the recipes."""

    place: Place
    settings: Settings
    dataset: Dataset
    configs: Mapping[str, Config]
    task: Task
    comparison: Comparison

    @property
    def config(self) -> Config:
        """That of the first recipe."""
        return next(iter(self.configs.values()))


def prepare(asked: Asked) -> Prepared:
    """Check the options, load the data, and configure the recipes.

    Raises:
        InputError: options contradict each other, or do not apply to the data or to a recipe.
        DataError, DeviceError: the data cannot be read, or the device cannot be used.
    """
    data = asked.data
    measuring = {"features": asked.features, "data_dir": asked.data_dir, "offline": asked.offline or None}
    check_data(data, asked.hold_out, measuring)
    pictures = picture_options(data, **asked.reading)
    device, _ = choose_device(asked.device)
    fields = {**asked.changes, "precision": choose_precision(asked.changes.get("precision", "fp32"), device)}
    check_budget(asked.changes.get("images"), asked.seconds, device)
    pairs = pairs_of(asked.recipes, data, asked.between)
    names = choose_recipes(data, asked.recipes, fields, pictures, pairs)
    where = {"photos": of_photos(names, asked.reading), "offline": asked.offline, "quiet": asked.quiet}
    dataset = load_source(data, pictures, pairs, asked.data_dir, **where)
    share = SHARE if asked.hold_out is None else asked.hold_out
    source = DataSource.of(dataset, data, asked.data_dir, pictures, share, pairs)
    configs = configure(source, names, fields, device)
    task, comparison = comparable(configs[names[0]])
    settings = _settings(asked, source, comparison, device, fields["precision"], asked.n or samples_for(data, share))
    return Prepared(_place(asked, source, device), settings, dataset, configs, task, comparison)


def _settings(
    asked: Asked, source: DataSource, comparison: Comparison, device: str, precision: str, n: int
) -> Settings:
    options = {**asked.reading, "hold_out": asked.hold_out, **asked.between}
    return Settings(
        source.source,
        asked.changes.get("images"),
        asked.seconds,
        n,
        asked.threads,
        {name: value for name, value in asked.changes.items() if name not in ("images", "precision")},
        device,
        precision,
        options={name: value for name, value in options.items() if value is not None and value is not False},
        digest="" if source.hold_out is None else source.digest,
        **how_measured(comparison, source, asked.features, n),
    )


def _place(asked: Asked, source: DataSource, device: str) -> Place:
    data_dir = ("--data-dir", str(asked.data_dir.resolve())) if asked.data_dir else ()
    where = (*data_dir, *(("--offline",) if asked.offline else ()))
    return Place(asked.output or Path("comparisons") / source.name, where, device, asked.features)


def check_data(data: str, hold_out: float | None, given: dict[str, Any]) -> None:
    """Raise InputError where options do not apply to the data, and DataError where there are no such data."""
    check_source(data)
    if hold_out is not None and data in KNOWN:
        raise InputError(f"--hold-out: {data} has test data of its own; leave it out")
    own = own_evaluation(data)
    if own:
        own.check_options(data, given, None)


def check_budget(images: int | None, seconds: float | None, device: str) -> None:
    """Raise InputError unless there is exactly one budget, which means something on the device."""
    if (images is None) == (seconds is None):
        raise InputError("--seconds, --images: give one of them, the budget of each run")
    if seconds is not None and device != "cpu":
        raise InputError(
            f"--seconds {seconds:g}: CPU seconds do not measure the work of {device}; give --images, or --device cpu"
        )


def pairs_of(named: str | None, data: str, given: Mapping[str, str | None]) -> PairOptions | None:
    """How the two domains of the data are found, for recipes that learn from two; as `pair_options`.

    Raises:
        InputError: as `pair_options`, or options are given and no recipe is named.
    """
    if named is not None:
        return pair_options(named.split(",")[0], data, **given)
    for name, value in given.items():
        if value is not None:
            raise InputError(f"{flag(name, value)}: name recipes that learn from two domains, with --recipes")
    return None


def of_photos(recipes: Sequence[str], reading: Mapping[str, Any]) -> bool:
    """Whether recipes learn from photos. Raises InputError where options of `reading` do not apply to these."""
    learns_from = find_recipe(recipes[0]).learns_from
    check_reading(learns_from, reading)
    return learns_from == "photos"


def choose_recipes(
    data: str,
    named: str | None,
    changes: dict[str, Any],
    pictures: PictureOptions | None,
    pairs: PairOptions | None = None,
) -> list[str]:
    """The names of the recipes to compare: those that are `named`, or all that can learn from one domain of the data.

    Raises:
        InputError: one of them is unknown or does not accept the changes. The message names the flag.
    """
    if named is None:
        alone = [name for name, recipe in RECIPES.items() if recipe.learns_from == Recipe.learns_from]
        names = [name for name in alone if _learns_from(data, name, pictures)]
    else:
        names = list(dict.fromkeys(named.split(",")))
    for name in names:
        kinds = {one: find_recipe(one).learns_from for one in (names[0], name)}
        if "photos" in kinds.values() and len(set(kinds.values())) > 1:
            told = ", ".join(f"{one} learns from {kind}" for one, kind in kinds.items())
            raise InputError(f"--recipes: {told}; compare them separately")
        try:
            check_settings(data, name, changes, pictures, pairs)
        except InputError as error:
            raise _of_recipe(name, error) from None
    return names


def configure(source: DataSource, recipes: Sequence[str], changes: dict[str, Any], device: str) -> dict[str, Config]:
    """A configuration for each recipe. Raises InputError where the recipe cannot be trained on these data."""
    configs = {}
    for name in recipes:
        try:
            configs[name] = make_config(source, name, changes, 0, device, 1, 1)
        except InputError as error:
            raise _of_recipe(name, error) from None
    return configs


def comparable(config: Config) -> tuple[Task, Comparison]:
    """The task of a run. Raises InputError where gan-eval does not measure its files."""
    task = task_of(config)
    if task.comparison is None:
        raise InputError(f"{config.data.source}: gan-compare does not support the task {task.name!r}")
    return task, task.comparison


def how_measured(comparison: Comparison, source: DataSource, features: str | None, n: int) -> dict[str, str]:
    """The settings that say how files are measured: `features`, or why they are `unmeasured`.

    Raises:
        InputError: n is too small.
        ModelError, DataError: the data cannot be measured with the network that the user named.
    """
    try:
        return {"features": comparison.features(source, features, n)}
    except (ModelError, DataError) as error:
        if features is not None:
            raise
        return {"unmeasured": str(error)}


def _learns_from(data: str, recipe: str, pictures: PictureOptions | None) -> bool:
    try:
        check_settings(data, recipe, {}, pictures)
    except InputError:
        return False
    return True


def _of_recipe(name: str, error: InputError) -> InputError:
    return InputError(f"{error} (recipe {name}; leave it out with --recipes)")
