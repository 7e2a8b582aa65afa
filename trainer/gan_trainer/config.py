"""A run's complete settings: what config.json holds and what a resumed run goes on with."""

from dataclasses import asdict, dataclass, fields, replace
from typing import Any

import torch

from gan_runtime.cpus import available_cpus
from gan_runtime.datasets import PictureOptions
from gan_runtime.datasets.known import POINTS
from gan_runtime.datasets.pictures import MODES
from gan_runtime.errors import DeviceError, GanEdgeError, InputError
from gan_runtime.manifest import ImageSize
from gan_runtime.models import shipped_features
from gan_trainer import history
from gan_trainer.augmentations import AUGMENTATIONS
from gan_trainer.checks import check_changes, check_for_points
from gan_trainer.networks import build_networks
from gan_trainer.recipes import RECIPES, Recipe
from gan_trainer.source import DataSource

PRECISIONS = ("auto", "fp32", "bf16")
DEVICES = ("auto", "cpu", "cuda")
POINTS_OWN = {  # of a recipe for points, where nothing else was asked for
    "network": "mlp",
    "width": 8,  # hidden layers of 64 to 256 are enough for two coordinates
    "precision": "fp32",  # bf16 cannot tell points of one mode apart
}
AUGMENT_BELOW = 20_000  # images; a discriminator learns fewer by heart, and more are better left as they are


@dataclass(frozen=True)
class Config:
    """Data, recipe with every override, and what the numbers depend on besides: seed, device, threads."""

    data: DataSource
    recipe_name: str
    recipe: Recipe
    seed: int
    device: str
    threads: int
    keep_checkpoints: int = 3

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
            values = {field.name: document[field.name] for field in fields(cls)}
            recipe = Recipe(**values["recipe"] | {"betas": tuple(values["recipe"]["betas"])})
            data = dict(values["data"])
            data["pictures"] = PictureOptions(**data["pictures"]) if data["pictures"] else None
            data["size"], data["classes"] = ImageSize(**data["size"]), tuple(data["classes"])
            return cls(**values | {"recipe": recipe, "data": DataSource(**data)})
        except (KeyError, TypeError, ValueError) as error:
            raise GanEdgeError(f"{origin}: not a configuration of this version of gan-edge ({error})") from None


def find_recipe(name: str) -> Recipe:
    """The recipe called `name`. Raises InputError where there is none."""
    if name not in RECIPES:
        raise InputError(f"recipe {name!r}: unknown; choose one of {', '.join(RECIPES)}")
    return RECIPES[name]


def choose_device(wanted: str) -> tuple[str, str]:
    """The device to train on, and why. Raises DeviceError where CUDA is asked for and does not work."""
    if wanted not in DEVICES:
        raise InputError(f"device {wanted!r}: choose one of {', '.join(DEVICES)}")
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
    """fp32 or bf16. "auto" takes bf16 where the device computes in it by itself; elsewhere bf16 is slower than fp32."""
    if wanted not in PRECISIONS:
        raise InputError(f"precision {wanted!r}: choose one of {', '.join(PRECISIONS)}")
    if wanted != "auto":
        return wanted
    if device == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp32"
    capabilities: dict[str, bool] = getattr(torch.cpu, "get_capabilities", dict)()
    return "bf16" if capabilities.get("avx512_bf16") or capabilities.get("amx_bf16") else "fp32"


def choose_augmentation(wanted: str, images: int) -> str:
    """ "none", or names of `AUGMENTATIONS` with commas between. "auto" takes all of them for a small data set."""
    if wanted == "auto":
        return ",".join(AUGMENTATIONS) if images < AUGMENT_BELOW else "none"
    unknown = [name for name in wanted.split(",") if name not in AUGMENTATIONS]
    if wanted != "none" and unknown:
        raise InputError(f"augment {unknown[0]!r}: choose auto, none, or some of {','.join(AUGMENTATIONS)}")
    return wanted


def check_settings(source: str, recipe_name: str, changes: dict[str, Any], pictures: PictureOptions | None) -> None:
    """Refuse what `make_config` would refuse, as far as it shows without the data: decoding them may take minutes."""
    recipe = _changed(source, recipe_name, changes)
    choose_precision(recipe.precision, "cpu")
    choose_augmentation(recipe.augment, AUGMENT_BELOW)
    if pictures is not None:
        build_networks(recipe, ImageSize(pictures.size, pictures.size, MODES[pictures.mode]), 0)


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
    if recipe.batch_size > data.images:
        raise InputError(
            f"--batch-size {recipe.batch_size}: {data.name} has {data.images} images; choose {data.images} or fewer"
        )
    if changes.get("conditional") and not data.classes:
        way = "--labels folders makes sub-folders classes" if data.pictures else "leave it out"
        raise InputError(f"--conditional: {data.name} has no classes; {way}")
    recipe = replace(
        recipe,
        conditional=recipe.conditional and bool(data.classes),
        precision=choose_precision(recipe.precision, device),
        augment=choose_augmentation(recipe.augment, data.images),
        **_choose_evaluation(recipe, data.source, changes.get("eval_every")),
    )
    config = Config(data, recipe_name, recipe, seed, device, threads or available_cpus(), keep_checkpoints)
    build_networks(config.recipe, data.size, len(config.conditions))  # refuses now what could not be built later
    return config


def _changed(source: str, recipe_name: str, changes: dict[str, Any]) -> Recipe:
    given = {name: value for name, value in changes.items() if value is not None}
    if given.get("penalty") == "none":
        given = {"penalty_weight": 0.0} | given
    own: dict[str, Any] = POINTS_OWN if source in POINTS else {}
    recipe = replace(find_recipe(recipe_name), **own | given)
    check_changes(recipe, given)
    if source in POINTS:
        check_for_points(recipe, source)
    return recipe


def _choose_evaluation(recipe: Recipe, source: str, asked: int | None) -> dict[str, Any]:
    """Whether to evaluate. Without being asked: where there are features, and more images to learn than to measure."""
    if not recipe.eval_every:
        if recipe.patience or recipe.stop_when_collapsed:
            raise InputError("--patience, --stop-when-collapsed: need evaluations; leave out --eval-every 0")
        return {}
    if source in POINTS or shipped_features(source) is not None:
        if asked:
            return {"eval_share": 0.0}  # as often as was asked for
        long = recipe.images >= history.FINAL_SAMPLES or recipe.patience or recipe.stop_when_collapsed
        return {} if long else {"eval_every": 0}
    if asked or recipe.patience or recipe.stop_when_collapsed:
        raise InputError(
            f"--eval-every, --patience, --stop-when-collapsed: no feature network ships for {source}; leave them out, "
            "and measure the exported file with gan-eval --features"
        )
    return {"eval_every": 0}
