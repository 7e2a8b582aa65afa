"""A run's complete settings: what config.json holds and what a resumed run goes on with."""

from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

import torch

from gan_runtime.cpus import available_cpus
from gan_runtime.errors import DeviceError, GanEdgeError, InputError
from gan_runtime.images.options import CHANNELS, PictureOptions
from gan_runtime.laboratory.points import POINTS
from gan_runtime.manifest import ImageSize
from gan_runtime.models import shipped_features
from gan_runtime.session import MAX_THREADS
from gan_trainer.data.source import DataSource
from gan_trainer.evaluation import history
from gan_trainer.networks import build_networks
from gan_trainer.recipes.checks import (
    AUGMENTATIONS,
    AUTO,
    STD_GROUP,
    check_augmentation,
    check_changes,
    check_for_points,
    check_precision,
    check_resolved,
)
from gan_trainer.recipes.recipe import RECIPES, Recipe

DEVICES = ("cpu", "cuda")
RANGES = {"seed": (0, 2**32 - 1), "threads": (1, MAX_THREADS), "keep_checkpoints": (1, 10**6)}
POINTS_OWN = {  # of a recipe for points, where nothing else was asked for
    "network": "mlp",
    "width": 8,  # hidden layers of 64 to 256 are enough for two coordinates
    "precision": "fp32",  # bf16 cannot tell points of one mode apart
}
AUGMENT_BELOW = 20_000  # images; a discriminator learns fewer by heart, and more are better left as they are


@dataclass(frozen=True)
class Config:
    """Data, recipe with every override, and what the numbers depend on besides: seed, device, threads.

    Every choice is made: nothing in it is "auto" or None, which its making refuses with InputError.

    Args:
        asked: the fields of the recipe that were given, as they were given: "auto" may be among them.
        init_from: whose weights the run began with, if not with random ones: `TrainState.load_weights`.
        history: what was changed when the run went on: `after` so many images, `field`, `old` and `new`.
    """

    data: DataSource
    recipe_name: str
    recipe: Recipe
    seed: int
    device: str
    threads: int
    keep_checkpoints: int = 3
    asked: dict[str, Any] = field(default_factory=dict, compare=False)  # the run itself follows from the others
    init_from: dict[str, Any] | None = None
    history: tuple[dict[str, Any], ...] = ()

    def __post_init__(self) -> None:
        """Raise InputError, naming the field, where one is out of range or not yet chosen."""
        for name in self.recipe.unresolved:
            check_resolved(name, getattr(self.recipe, name))
        if self.device not in DEVICES:
            raise InputError(f"device {self.device!r}: must be {' or '.join(DEVICES)}; choose_device chooses one")
        for name, (least, most) in RANGES.items():
            value = getattr(self, name)
            if type(value) is not int or not least <= value <= most:
                raise InputError(f"{name} {value!r}: must be a whole number in [{least:,}, {most:,}]")

    @property
    def conditions(self) -> tuple[str, ...]:
        """Names of the classes that the networks are told; none for an unconditional recipe."""
        return self.data.classes if self.recipe.conditional else ()

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON and checkpoints."""
        return asdict(self)

    @classmethod
    def from_dict(cls, document: Any, origin: str) -> "Config":
        """The configuration that `to_dict` wrote. Raises GanEdgeError where `origin` holds something else."""
        try:
            values = {
                one.name: document[one.name] for one in fields(cls) if one.name in document
            }  # older ones have fewer
            values["recipe"], values["asked"] = _settings_of(values)
            values["history"] = tuple(values.get("history", ()))
            data = dict(values["data"])
            data["pictures"] = PictureOptions(**data["pictures"]) if data["pictures"] else None
            data["size"], data["classes"] = ImageSize(**data["size"]), tuple(data["classes"])
            return cls(**values | {"data": DataSource(**data)})
        except (KeyError, TypeError, ValueError) as error:
            raise GanEdgeError(f"{origin}: not a configuration of this version of gan-edge ({error})") from None


def _settings_of(document: dict[str, Any]) -> tuple[Recipe, dict[str, Any]]:
    """Recipe, and what of it was asked for. `eval_share` is of gan-edge 0.1.0: 0 where evaluations were asked for."""
    recipe = dict(document["recipe"])
    asked = {"eval_every": recipe["eval_every"]} if recipe.pop("eval_share", None) == 0 else {}
    return Recipe(**_with_tuples(recipe)), _with_tuples(asked | document.get("asked", {}))


def _with_tuples(values: dict[str, Any]) -> dict[str, Any]:
    """JSON knows lists alone."""
    return {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}


def find_recipe(name: str) -> Recipe:
    """The recipe called `name`. Raises InputError where there is none."""
    if name not in RECIPES:
        raise InputError(f"recipe {name!r}: unknown; choose one of {', '.join(RECIPES)}")
    return RECIPES[name]


def choose_device(wanted: str) -> tuple[str, str]:
    """The device to train on, and why. Raises DeviceError where CUDA is asked for and does not work."""
    if wanted not in (AUTO, *DEVICES):
        raise InputError(f"device {wanted!r}: choose one of {', '.join((AUTO, *DEVICES))}")
    if wanted == "cpu":
        return "cpu", "asked for"
    try:
        torch.zeros(1, device="cuda")
    except (RuntimeError, AssertionError) as error:
        reason = " ".join(str(error).splitlines()[:1]).rstrip(".")
        if wanted == "cuda":
            raise DeviceError(f"device cuda: cannot be used: {reason}") from None
        return "cpu", reason
    return "cuda", "CUDA works here"


def choose_precision(wanted: str, device: str) -> str:
    """fp32 or bf16. "auto" is bf16 where the device (cpu or cuda) computes in it by itself: elsewhere it is slow."""
    check_precision(wanted)
    if device not in DEVICES:
        raise InputError(f"device {device!r}: must be {' or '.join(DEVICES)}; choose_device chooses one")
    if wanted != AUTO:
        return wanted
    if device == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp32"
    capabilities: dict[str, bool] = getattr(torch.cpu, "get_capabilities", dict)()
    return "bf16" if capabilities.get("avx512_bf16") or capabilities.get("amx_bf16") else "fp32"


def choose_augmentation(wanted: str, images: int) -> str:
    """ "none", or names of `AUGMENTATIONS` with commas between. "auto" takes all of them for a small data set."""
    check_augmentation(wanted)
    if wanted == AUTO:
        return ",".join(AUGMENTATIONS) if images < AUGMENT_BELOW else "none"
    return wanted


def check_settings(source: str, recipe_name: str, changes: dict[str, Any], pictures: PictureOptions | None) -> None:
    """Refuse what `make_config` would refuse, as far as it shows without the data: decoding them may take minutes."""
    recipe = _changed(source, recipe_name, changes)
    if pictures is not None:
        build_networks(recipe, ImageSize(pictures.size, pictures.size, CHANNELS[pictures.mode]), 0)


def make_config(
    data: DataSource,
    recipe_name: str,
    changes: dict[str, Any],
    seed: int,
    device: str,
    threads: int | None,
    keep_checkpoints: int,
) -> Config:
    """The settings of a new run, every choice made.

    Args:
        data: what to train on.
        recipe_name: a key of `RECIPES`.
        changes: fields of the recipe that differ from the table; None leaves a field as it is.
        seed: of everything random.
        device: cpu or cuda, as `choose_device` returns it.
        threads: all processors that this process may use if None.
        keep_checkpoints: how many of the last ones to keep.

    Raises:
        InputError: as the functions above, a batch larger than the data set, classes asked for where there are none,
            or networks that cannot draw such images.
    """
    recipe = _changed(data.source, recipe_name, changes)
    _check_batch(recipe, data)
    if changes.get("conditional") and not data.classes:
        way = "--labels folders makes sub-folders classes" if data.pictures else "leave it out"
        raise InputError(f"--conditional: {data.name} has no classes; {way}")
    recipe = replace(
        recipe,
        conditional=recipe.conditional and bool(data.classes),
        precision=choose_precision(recipe.precision, device),
        augment=choose_augmentation(recipe.augment, data.images),
        eval_every=choose_evaluation(recipe, data.source, changes.get("eval_every")),
    )
    threads = available_cpus() if threads is None else threads
    asked = {name: value for name, value in changes.items() if value is not None}
    config = Config(data, recipe_name, recipe, seed, device, threads, keep_checkpoints, asked)
    build_networks(config.recipe, data.size, len(config.conditions))  # refuses now what could not be built later
    return config


def _check_batch(recipe: Recipe, data: DataSource) -> None:
    """Raise InputError where a batch is larger than the data set, with a size that will be accepted."""
    if recipe.batch_size <= data.images:
        return
    step = STD_GROUP if recipe.minibatch_std else 1
    smallest: int = Recipe.__dataclass_fields__["batch_size"].metadata["bounds"]["min"]
    least, most = max(smallest, step), data.images // step * step
    found = f"{data.name} has {data.images:,} {'image' if data.images == 1 else 'images'}"
    if most < least:
        raise InputError(f"{found}: too few to train on; at least {least} are needed")
    sizes = f"{most} or fewer" if most > least else f"{most}"
    groups = f", in steps of {step}" if step > 1 and most > least else ""
    raise InputError(f"--batch-size {recipe.batch_size}: {found}; choose {sizes}{groups}")


def _changed(source: str, recipe_name: str, changes: dict[str, Any]) -> Recipe:
    given = {name: value for name, value in changes.items() if value is not None}
    if given.get("penalty") == "none":
        given = {"penalty_weight": 0.0} | given
    own: dict[str, Any] = POINTS_OWN if source in POINTS else {}
    if source in POINTS:
        check_for_points(find_recipe(recipe_name), given, source)
    recipe = replace(find_recipe(recipe_name), **own | given)
    check_changes(recipe, given)
    return recipe


def choose_evaluation(recipe: Recipe, source: str, asked: int | None) -> int:
    """Images between two evaluations, 0 for none. The clock has no say: what a run does follows from its counters.

    Without being asked: as the recipe says, where there are features, and more images to learn than to measure.
    """
    watched = bool(recipe.patience or recipe.stop_when_collapsed)
    if not recipe.eval_every:
        if watched:
            raise InputError("--patience, --stop-when-collapsed: need evaluations; leave out --eval-every 0")
        return 0
    if source in POINTS or shipped_features(source) is not None:
        return recipe.eval_every if asked or watched or recipe.images >= history.FINAL_SAMPLES else 0
    if asked or watched:
        raise InputError(
            f"--eval-every, --patience, --stop-when-collapsed: no feature network ships for {source}; leave them out, "
            "and measure the exported file with gan-eval --features"
        )
    return 0
