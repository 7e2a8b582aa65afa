"""The plan of a comparison, stored in plan.json: its settings, and the number of images of each recipe."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
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


@dataclass(frozen=True)
class Settings:
    """What all runs of a comparison share. Exactly one of `images` and `cpu_seconds` is the budget of a run.

    Args:
        data: a data set that features ship for.
        images: real images to show.
        cpu_seconds: processor time of the training steps, all threads together; evaluations are not counted.
        n: how many images gan-eval draws of each exported file.
        threads: of one run.
        changes: fields of every recipe that differ from the table.
        device: "cpu" or "cuda".
        precision: of all recipes, "fp32" or "bf16", whatever each has in the table.
        features: SHA-256 of the network in whose features files are measured.
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
        """Each of them as a person would give it."""
        return {
            "data": self.data,
            "budget": flag("images", self.images) if self.images else flag("seconds", self.cpu_seconds),
            "n": flag("n", self.n),
            "threads": flag("threads", self.threads),
            "changes": " ".join(flag(name, value) for name, value in self.changes.items()) or "no changes of recipes",
            "device": flag("device", self.device),
            "precision": flag("precision", self.precision),
            "features": f"the features {self.features[:16]}",
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
        """Images between two of the evaluations that make the curve of FID over time."""
        return max(1, self.lengths[recipe] // points)

    def key(self, recipe: str) -> str:
        """A digest of all that the runs of a recipe depend on but their seeds."""
        what = [asdict(self.settings), self.recipes.get(recipe), self.lengths[recipe]]
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
    """The plan in `folder`, with the recipes that are new in it; made where there is none.

    Args:
        folder: of the comparison.
        settings: have to be those that the comparison was begun with.
        recipes: names.
        length: how many images a recipe sees within the budget; asked once for each.
        begun: whether a run has; a plan that none follows is made anew.
        mixed: whether it may go on with other versions of the software than those that began it.

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
        if recipe in plan.recipes and plan.recipes[recipe] != _content(recipe):
            raise InputError(f"{folder}: the recipe {recipe} has changed since it was begun; choose another --output")


def _content(recipe: str) -> Any:
    """The fields of a recipe, as JSON keeps them."""
    return json.loads(json.dumps(asdict(RECIPES[recipe])))


def _read(path: Path) -> Plan:
    try:
        document = json.loads(path.read_text())
        changes = {name: tuple(v) if isinstance(v, list) else v for name, v in document["settings"]["changes"].items()}
        settings = Settings(**{"precision": OWN} | document["settings"] | {"changes": changes})
        lengths = {str(recipe): int(images) for recipe, images in document["lengths"].items()}
        return Plan(settings, lengths, dict(document["recipes"]), dict(document.get("software", {})))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise GanEdgeError(f"{path}: not the plan of a comparison ({error}); choose another --output") from None
