"""Starting from the weights of another run, and the settings that may change when a run is resumed."""

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from gan_runtime.errors import GanEdgeError, InputError
from gan_trainer.recipes.checks import changed
from gan_trainer.recipes.recipe import RECIPES, Recipe
from gan_trainer.runs.folder import CHECKPOINTS, open_run
from gan_trainer.runs.settings import choose_evaluation
from gan_trainer.training.checkpoint import load_checkpoint
from gan_trainer.training.config import Config
from gan_trainer.training.schedule import learning_rate

SHOWN_CLASSES = 5  # in a message
CHANGEABLE = ("device", "threads", "processes", "compile")  # beside the length


class Origin(NamedTuple):
    """The checkpoint whose weights a run starts from: its record in config.json and manifest, and its content."""

    record: dict[str, Any]
    saved: dict[str, Any]


def find_origin(path: Path, runs_dir: Path) -> Origin:
    """The checkpoint file at `path`, or the last checkpoint of the run there or of that name in `runs_dir`.

    Raises:
        GanEdgeError: there is none, or it is damaged.
    """
    checkpoint = path if path.is_file() else open_run(path, runs_dir).newest_checkpoint()
    if checkpoint is None:
        raise GanEdgeError(f"--init-from {path}: this run has no checkpoint yet")
    saved = load_checkpoint(checkpoint)
    config = Config.from_dict(saved["config"], str(checkpoint))
    folder = checkpoint.resolve().parent
    record = {
        "run": folder.parent.name if folder.name == CHECKPOINTS else checkpoint.stem,
        "recipe": config.recipe_name,
        "data": config.data.name,
        "images_seen": saved["images_seen"],
        "sha256": hashlib.sha256(checkpoint.read_bytes()).hexdigest(),
    }
    return Origin(record, saved)


def renamed_classes(origin: Origin, config: Config) -> list[str]:
    """A message if a class index has another name than in the origin: weights are matched by class index."""
    before = Config.from_dict(origin.saved["config"], origin.record["run"]).conditions
    pairs = [f"{old} -> {new}" for old, new in zip(before, config.conditions, strict=False) if old != new]
    more = f", … ({len(pairs)} in all)" if len(pairs) > SHOWN_CLASSES else ""
    shown = ", ".join(pairs[:SHOWN_CLASSES]) + more
    return [f"--init-from: weights of classes are matched by index, and the names differ: {shown}"] if pairs else []


def resumed_config(
    config: Config,
    seen: int,
    images: int | None = None,
    device: str | None = None,
    threads: int | None = None,
    processes: int = 1,
    compile: bool | None = None,
) -> Config:
    """The settings of a run that is resumed after `seen` images; each change is appended to the history.

    The learning rate is a function of the images seen and the length of the run. After a change of length, it has the
    value that a run of the new length has at this point. If a finished run is made longer, its learning rate rises
    first, and then decays until the new end.

    Args:
        config: the settings of the run so far.
        seen: images that the run has seen.
        images, device, threads, compile: new values; None keeps the old value.
        processes: the number of processes that train from now on.

    Raises:
        InputError: the new length is not larger than `seen`.
    """
    if images is not None and images <= seen:
        raise InputError(f"--images {images}: the run has already seen {seen:,} images; give a larger number")
    recipe = config.recipe if images is None else _of_length(config, images)
    resumed = replace(
        config,
        recipe=recipe,
        device=device or config.device,
        threads=config.threads if threads is None else threads,
        processes=processes,
        compile=config.compile if compile is None else compile,
    )
    before, now = (
        {"images": c.recipe.images} | {name: getattr(c, name) for name in CHANGEABLE} for c in (config, resumed)
    )
    changes = [
        {"after": seen, "field": name, "old": before[name], "new": now[name]}
        for name in now
        if now[name] != before[name]
    ]
    return replace(resumed, history=(*config.history, *changes))


def describe_changes(before: Config, now: Config) -> list[str]:
    """Messages on what `resumed_config` has changed, and on the consequences."""
    remarks = []
    for change in now.history[len(before.history) :]:
        if change["field"] == "images":
            rates = [learning_rate(config.recipe, change["after"]) for config in (before, now)]
            remarks.append(
                f"length: {change['new']:,} images instead of {change['old']:,}; the learning rate follows the new "
                f"length: it is now {rates[1]:.3g} instead of {rates[0]:.3g}"
            )
        elif change["field"] == "processes":
            remarks.append(
                f"processes: {change['new']} instead of {change['old']}; each draws random numbers of its own, so that "
                "results differ from those of a run without this change"
            )
        else:
            old, new = (_shown(change[one]) for one in ("old", "new"))
            remarks.append(
                f"{change['field']}: {new} instead of {old}; results may differ in their last "
                "bits from those of a run without this change"
            )
    return remarks


def _shown(value: Any) -> str:
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)


def _of_length(config: Config, images: int) -> Recipe:
    """The recipe with another length. Evaluations are enabled if only the old length was too short for them."""
    recipe = changed(config.recipe, {"images": images})
    if recipe.eval_every or "eval_every" in config.asked or config.recipe_name not in RECIPES:
        return recipe
    usual = replace(recipe, eval_every=RECIPES[config.recipe_name].eval_every)
    return replace(recipe, eval_every=choose_evaluation(usual, config.data.source, None))
