"""The table of tasks: what networks are trained for, by what the system is for and what the data has."""

from gan_runtime.data.registry import kind_of
from gan_runtime.errors import InputError
from gan_runtime.evaluation.reference import FULL
from gan_trainer.recipes.base import Recipe
from gan_trainer.tasks import generate, points, translate, upscale
from gan_trainer.tasks.task import Task
from gan_trainer.training.config import Config

TASKS: dict[tuple[str, str], Task] = {  # by `Recipe.task` and what is learnt from: `Recipe.learns_from`, or points
    ("generate", "images"): generate.TASK,
    ("generate", "points"): points.TASK,
    ("translate", "pairs"): translate.PAIRED,
    ("translate", "unpaired"): translate.UNPAIRED,
    ("upscale", "photos"): upscale.TASK,
}


def register(task: Task, data: str = "images") -> None:
    """Add a task to the table: for recipes that name it and learn from `data`: images, points, pairs, unpaired or
    photos.
    """
    TASKS[task.name, data] = task


def find_task(recipe: Recipe, source: str) -> Task:
    """What `recipe` trains a network for on the data `source`. Raises InputError where it cannot learn from such."""
    kind = kind_of(source) if recipe.learns_from == "images" else recipe.learns_from
    if (recipe.task, kind) not in TASKS:
        others = ", ".join(data for task, data in TASKS if task == recipe.task)
        known = f"it learns from {others}" if others else "register it with gan_trainer.tasks.register"
        raise InputError(f"--recipe {recipe.system}: no task {recipe.task!r} on {kind}, as of {source}; {known}")
    task = TASKS[recipe.task, kind]
    return task.of_recipe(recipe) if task.of_recipe else task


def task_of(config: Config) -> Task:
    """What the network of a run is trained for, as it is measured with so much data."""
    task, data = find_task(config.recipe, config.data.source), config.data
    few = (data.hold_out is not None or data.pictures is not None) and data.images < FULL
    return task.of_few or task if few else task
