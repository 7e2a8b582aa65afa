"""What a comparison is about to do: its settings, and how many images each recipe sees. Kept in plan.json."""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from gan_runtime.errors import GanEdgeError, InputError
from gan_runtime.files import atomic_write

PLAN = "plan.json"


@dataclass(frozen=True)
class Settings:
    """What all runs of a comparison share. Exactly one of `images` and `cpu_seconds` is the budget of a run.

    Args:
        data: a key of `SOURCES`.
        images: real images to show.
        cpu_seconds: processor time of the training steps, all threads together; evaluations are not counted.
        n: how many images gan-eval draws of each exported file.
        threads: of one run.
        changes: fields of every recipe that differ from the table.
    """

    data: str
    images: int | None = None
    cpu_seconds: float | None = None
    n: int = 10_000
    threads: int = 1
    changes: dict[str, Any] = field(default_factory=dict)

    @property
    def budget(self) -> str:
        """For people."""
        return f"{self.images:,} images" if self.images else f"{self.cpu_seconds:g} CPU seconds"


@dataclass(frozen=True)
class Plan:
    """Settings, and the length of each recipe in images: the same for all seeds, so that runs can be repeated."""

    settings: Settings
    lengths: dict[str, int]

    def evaluate_every(self, recipe: str, points: int = 5) -> int:
        """Images between two of the evaluations that make the curve of FID over time."""
        return max(1, self.lengths[recipe] // points)


@dataclass(frozen=True)
class Cell:
    """One run of a comparison."""

    recipe: str
    seed: int

    @property
    def name(self) -> str:
        """Of its run folder, its model and its result."""
        return f"{self.recipe}-{self.seed}"


def make_plan(folder: Path, settings: Settings, recipes: list[str], length: Callable[[str], int]) -> Plan:
    """The plan in `folder`, with the recipes that are new in it; made where there is none.

    Args:
        folder: of the comparison.
        settings: have to be those that the comparison was begun with.
        recipes: names.
        length: how many images a recipe sees within the budget; asked once for each.

    Raises:
        InputError: the comparison in `folder` was begun with other settings.
        GanEdgeError: its plan is damaged.
    """
    path = folder / PLAN
    plan = _read(path) if path.exists() else Plan(settings, {})
    if plan.settings != settings:
        mine, its = asdict(settings), asdict(plan.settings)
        other = next(name for name in its if its[name] != mine[name])
        raise InputError(
            f"{folder}: was begun with {other} = {its[other]}, not {mine[other]}; give the same settings to go on with "
            "it, or another --output"
        )
    for recipe in recipes:
        if recipe not in plan.lengths:
            plan = replace(plan, lengths=plan.lengths | {recipe: length(recipe)})
            with atomic_write(path) as file:
                file.write(json.dumps(asdict(plan), indent=2).encode() + b"\n")
    return plan


def _read(path: Path) -> Plan:
    try:
        document = json.loads(path.read_text())
        changes = {name: tuple(v) if isinstance(v, list) else v for name, v in document["settings"]["changes"].items()}
        settings = Settings(**document["settings"] | {"changes": changes})
        return Plan(settings, {str(recipe): int(images) for recipe, images in document["lengths"].items()})
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise GanEdgeError(f"{path}: not the plan of a comparison ({error}); choose another --output") from None
