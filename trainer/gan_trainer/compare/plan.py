"""The plan of a comparison, stored in plan.json: its settings, and the number of images of each recipe."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import MISSING, asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import torch

from gan_runtime import __version__
from gan_runtime.errors import GanEdgeError, InputError
from gan_runtime.files import atomic_write
from gan_runtime.onnx_runtime import import_onnxruntime
from gan_trainer.recipes.checks import flag
from gan_trainer.recipes.recipe import RECIPES

PLAN = "plan.json"
OWN = "of each recipe's own"  # in plans of gan-edge 0.1.0
LATER = ("options", "digest", "unmeasured")  # settings that earlier plans do not have


@dataclass(frozen=True)
class Settings:
    """What all runs of a comparison share. Exactly one of `images` and `cpu_seconds` is the budget of a run.

    Args:
        data: a known data set, or the absolute path of a folder or archive.
        images: real images to show.
        cpu_seconds: processor time of the training steps, all threads together; evaluations are not counted.
        n: number of samples that gan-eval draws from each exported file.
        threads: of one run.
        changes: fields of every recipe that differ from the table.
        device: "cpu" or "cuda".
        precision: of all recipes, "fp32" or "bf16".
        features: SHA-256 of the feature network that files are measured with; "" if none is needed.
        options: how a folder or archive is read and split: options of gan-train that were given, by name.
        digest: of the images of a folder or archive.
        unmeasured: why there are no metrics; "" if there are.
    """

    data: str
    images: int | None = None
    cpu_seconds: float | None = None
    n: int = 10_000
    threads: int = 1
    changes: dict[str, Any] = field(default_factory=dict)
    device: str = "cpu"
    precision: str = "fp32"
    features: str = ""
    options: dict[str, Any] = field(default_factory=dict)
    digest: str = ""
    unmeasured: str = ""

    @property
    def title(self) -> str:
        """Name of the data."""
        return Path(self.data).name if Path(self.data).is_absolute() else self.data

    def data_flags(self, *names: str) -> list[str]:
        """`options` as words of a command line: all of them, or those in `names`."""
        given = {name: value for name, value in self.options.items() if not names or name in names}
        return [word for name, value in given.items() for word in flag(name, value).split()]

    @property
    def budget(self) -> str:
        """For people."""
        return f"{self.images:,} images" if self.images else f"{self.cpu_seconds:g} CPU seconds"

    @property
    def fields(self) -> dict[str, Any]:
        """Fields of a recipe that all runs have in common."""
        return self.changes | {"precision": self.precision}

    @property
    def written(self) -> dict[str, str]:
        """Each setting as the user gives it."""
        return {
            "data": self.data,
            "budget": flag("images", self.images) if self.images else flag("seconds", self.cpu_seconds),
            "n": flag("n", self.n),
            "threads": flag("threads", self.threads),
            "changes": " ".join(flag(name, value) for name, value in self.changes.items()) or "no changes of recipes",
            "device": flag("device", self.device),
            "precision": flag("precision", self.precision),
            "features": "no metrics" if self.unmeasured else f"the features {self.features[:16]}",
            "options": " ".join(self.data_flags()) or "no options of the data",
            "digest": f"images with the digest {self.digest[:16]}",
        }


@dataclass(frozen=True)
class Plan:
    """Settings, and for each recipe its fields in the table and its length in images.

    All seeds have the same length, so that runs can be repeated. `software` are the versions that began it.
    """

    settings: Settings
    lengths: dict[str, int]
    recipes: dict[str, Any] = field(default_factory=dict)
    software: dict[str, str] = field(default_factory=dict)

    def evaluate_every(self, recipe: str, points: int = 5) -> int:
        """Images between two of the evaluations that make the curve of a run; 0 if there are none."""
        return 0 if self.settings.unmeasured else max(1, self.lengths[recipe] // points)

    def key(self, recipe: str) -> str:
        """A digest of everything that the runs of a recipe depend on, except their seeds."""
        settings = {name: value for name, value in asdict(self.settings).items() if value or name not in LATER}
        what = [settings, self.recipes.get(recipe), self.lengths[recipe]]
        return hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True)
class Cell:
    """One run of a comparison."""

    recipe: str
    seed: int

    @property
    def name(self) -> str:
        """Of its run folder, its model and its result."""
        return f"{self.recipe}-{self.seed}"


def make_plan(
    folder: Path,
    settings: Settings,
    recipes: list[str],
    length: Callable[[str], int],
    *,
    begun: bool = True,
    mixed: bool = False,
) -> Plan:
    """The plan in `folder`, with new recipes added; a new plan if there is none.

    Args:
        folder: of the comparison.
        settings: must be those that the comparison was started with.
        recipes: names.
        length: how many images a recipe sees within the budget; called once per recipe.
        begun: whether there are runs. A plan without runs is replaced.
        mixed: whether to continue with other versions of the software than those that it was started with.

    Raises:
        InputError: the comparison in `folder` was begun with other settings or software, or a recipe has changed since.
        GanEdgeError: its plan is damaged.
    """
    path = folder / PLAN
    fresh = Plan(settings, {}, software=software())
    plan = _read(path) if path.exists() else fresh
    if not begun and (plan.settings, plan.software) != (settings, fresh.software):
        plan = fresh
    _check_same(folder, plan, settings, recipes)
    if not mixed and plan.software != fresh.software:
        raise InputError(
            f"{folder}: was begun with {versions(plan.software)}, and this is {versions(fresh.software)}: numbers may "
            "differ for that reason alone; choose another --output, or go on all the same with --mixed-versions"
        )
    for recipe in recipes:
        if recipe not in plan.lengths:
            images, content = length(recipe), _content(recipe)
            plan = replace(plan, lengths=plan.lengths | {recipe: images}, recipes=plan.recipes | {recipe: content})
            with atomic_write(path) as file:
                file.write(json.dumps(asdict(plan), indent=2).encode() + b"\n")
    return plan


def software() -> dict[str, str]:
    """Versions that the numbers of a comparison depend on."""
    onnxruntime = str(import_onnxruntime().__version__)
    return {"gan-edge": __version__, "torch": str(torch.__version__), "onnxruntime": onnxruntime}


def versions(found: dict[str, str]) -> str:
    """For people."""
    return ", ".join(f"{name} {number}" for name, number in found.items()) or "an earlier version of gan-edge"


def _check_same(folder: Path, plan: Plan, settings: Settings, recipes: list[str]) -> None:
    mine, its = settings.written, plan.settings.written
    for name in its:
        if its[name] != mine[name]:
            raise InputError(
                f"{folder}: was begun with {its[name]}, not {mine[name]}; give the same settings to go on with it, or "
                "another --output"
            )
    for recipe in recipes:
        if recipe in plan.recipes and _of_now(recipe, plan.recipes[recipe]) != _content(recipe):
            raise InputError(f"{folder}: the recipe {recipe} has changed since it was begun; choose another --output")


def _content(recipe: str) -> Any:
    """The settings of a recipe, as JSON keeps them. The wording of its source is none."""
    return json.loads(json.dumps(asdict(replace(RECIPES[recipe], source=""))))


def _of_now(recipe: str, kept: dict[str, Any]) -> dict[str, Any]:
    """The settings of a recipe in a plan, and the defaults of those that are newer than the plan."""
    defaults = {one.name: one.default for one in fields(RECIPES[recipe]) if one.default is not MISSING}
    found: dict[str, Any] = json.loads(json.dumps(defaults))
    return found | kept | {"source": ""}


def _tuples(values: dict[str, Any]) -> dict[str, Any]:
    """The values with tuples in the place of JSON's lists."""
    return {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}


def _read(path: Path) -> Plan:
    try:
        document = json.loads(path.read_text())
        found = {"precision": OWN, "options": {}} | document["settings"]
        settings = Settings(**found | {name: _tuples(found[name]) for name in ("changes", "options")})
        lengths = {str(recipe): int(images) for recipe, images in document["lengths"].items()}
        contents = {str(recipe): dict(content) for recipe, content in document["recipes"].items()}
        return Plan(settings, lengths, contents, dict(document.get("software", {})))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise GanEdgeError(f"{path}: not the plan of a comparison ({error}); choose another --output") from None
