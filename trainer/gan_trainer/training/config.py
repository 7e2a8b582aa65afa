"""The complete settings of a run: the contents of config.json, which a resumed run uses."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

import torch

from gan_runtime.data.domains import PairOptions
from gan_runtime.errors import DeviceError, GanEdgeError, InputError
from gan_runtime.images.options import PictureOptions
from gan_runtime.manifest import ImageSize
from gan_trainer.data.source import DataSource
from gan_trainer.recipes.checks import (
    AUGMENTATIONS,
    AUTO,
    RUN_BOUNDS,
    check_augmentation,
    check_precision,
    check_resolved,
    check_value,
)
from gan_trainer.recipes.recipe import SETTINGS, Recipe
from gan_trainer.recipes.words import names_of_fields
from gan_trainer.training.format2 import system_of
from gan_trainer.training.system import Shapes

DEVICES = ("cpu", "cuda")
AUGMENT_BELOW = (
    20_000  # images: a discriminator memorises smaller data sets; larger ones gain nothing from augmentation
)


@dataclass(frozen=True)
class Config:
    """The data, the recipe with all changes, and everything else that results depend on: seed, device, threads.

    All values are resolved: InputError is raised for a field that is "auto" or None.

    Args:
        asked: the fields of the recipe that the user gave, unresolved: they may be "auto".
        processes: the number of processes that train together, each with so many threads.
        init_from: the checkpoint whose weights the run began with (`TrainState.load_weights`), if any.
        own_networks: names of the networks that were given to `gan_trainer.train` in place of the recipe's.
        compile: whether torch.compile compiles the networks, which changes the last bits of results.
        features: the feature network that the user chose to measure with: the path of a file, or "any"; None for the
            network of the data.
        history: changes made when the run was resumed: `after` so many images, `field`, `old` and `new`.
    """

    data: DataSource
    recipe_name: str
    recipe: Recipe
    seed: int
    device: str
    threads: int
    keep_checkpoints: int = 3
    processes: int = 1
    asked: dict[str, Any] = field(default_factory=dict, compare=False)  # the other fields determine the run
    init_from: dict[str, Any] | None = None
    own_networks: tuple[str, ...] = ()
    features: str | None = None
    compile: bool = False
    history: tuple[dict[str, Any], ...] = ()

    def __post_init__(self) -> None:
        """Raise InputError, naming the field, if one is out of range or unresolved."""
        for name in self.recipe.unresolved:
            check_resolved(name, getattr(self.recipe, name))
        if self.device not in DEVICES:
            raise InputError(f"device {self.device!r}: must be {' or '.join(DEVICES)}; choose_device chooses one")
        with names_of_fields():
            for name in ("seed", "threads", "keep_checkpoints"):
                check_value(name, getattr(self, name), int, RUN_BOUNDS[name])

    @property
    def conditions(self) -> tuple[str, ...]:
        """Names of the classes that the networks are conditioned on; empty for an unconditional recipe."""
        return self.data.classes if self.recipe.on_classes else ()

    @property
    def shapes(self) -> Shapes:
        """What the networks are built for."""
        return Shapes(self.data.size, len(self.conditions), self.data.source_size)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON and checkpoints."""
        return asdict(self)

    @classmethod
    def from_dict(cls, document: Any, origin: str) -> "Config":
        """The configuration from the result of `to_dict`. Raises GanEdgeError, naming `origin`, if it is not one."""
        try:
            values = {
                one.name: document[one.name] for one in fields(cls) if one.name in document
            }  # older ones have fewer
            values["recipe"], values["asked"] = _settings_of(values, origin)
            for name in ("history", "own_networks"):
                values[name] = tuple(values.get(name, ()))
            data = dict(values["data"])
            data["pictures"] = PictureOptions(**data["pictures"]) if data["pictures"] else None
            data["pairs"] = PairOptions(**data["pairs"]) if data.get("pairs") else None
            for name in ("size", "source_size"):
                data[name] = ImageSize(**data[name]) if data.get(name) else None
            data["classes"] = tuple(data["classes"])
            return cls(**values | {"data": DataSource(**data)})
        except (KeyError, TypeError, ValueError) as error:
            raise GanEdgeError(f"{origin}: not a configuration of this version of gan-edge ({error})") from None


def _settings_of(document: dict[str, Any], origin: str) -> tuple[Recipe, dict[str, Any]]:
    """The recipe, and its fields that the user gave.

    Recipes of gan-edge 0.1.0 have the fields of all systems, and an `eval_share`: 0 if the user gave `eval_every`.
    """
    recipe = system_of(document["recipe"])
    name = recipe.pop("system")
    if name not in SETTINGS:
        raise GanEdgeError(f"{origin}: its system {name!r} is unknown; register it with gan_trainer.systems.register")
    settings = SETTINGS[name]
    own = {one.name for one in fields(settings) if one.init}
    others = {one.name for system in SETTINGS.values() for one in fields(system)} - own
    asked = {"eval_every": recipe["eval_every"]} if recipe.pop("eval_share", None) == 0 else {}
    recipe = {name: value for name, value in recipe.items() if name not in others}
    return settings(**_with_tuples(recipe)), _with_tuples(asked | document.get("asked", {}))


def _with_tuples(values: dict[str, Any]) -> dict[str, Any]:
    """The values with lists converted to tuples, which JSON does not have."""
    return {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}


def choose_device(wanted: str) -> tuple[str, str]:
    """The device to train on, and the reason. Raises DeviceError if CUDA is requested and does not work."""
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
    """fp32 or bf16. "auto" is bf16 if the device (cpu or cuda) has instructions that make it faster than fp32."""
    check_precision(wanted)
    if device not in DEVICES:
        raise InputError(f"device {device!r}: must be {' or '.join(DEVICES)}; choose_device chooses one")
    if wanted != AUTO:
        return wanted
    if device == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp32"
    capabilities: dict[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()
    return "bf16" if _bf16_is_faster(capabilities) else "fp32"


def _bf16_is_faster(capabilities: Mapping[str, Any]) -> bool:
    """Whether a processor computes faster in bf16 than in fp32.

    Intel's with AVX-512 for bf16 but without AMX do not: the recipes took 1.1 to 1.9 times as long as in fp32.
    """
    intel = "Intel" in str(capabilities.get("cpu_name"))
    return bool(capabilities.get("amx_bf16") or (capabilities.get("avx512_bf16") and not intel))


def choose_augmentation(wanted: str, images: int) -> str:
    """ "none", or names of `AUGMENTATIONS`, separated by commas. "auto" selects all of them for a small data set."""
    check_augmentation(wanted)
    if wanted == AUTO:
        return ",".join(AUGMENTATIONS) if images < AUGMENT_BELOW else "none"
    return wanted
