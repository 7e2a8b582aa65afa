"""The end of the page: configuration, environment, and the command that repeats the run."""

from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

from gan_runtime.manifest import ImageSize
from gan_trainer.report.records import Records
from gan_trainer.report.repeat import changes, command, without_flag
from gan_trainer.tasks.task import Entry
from gan_trainer.training.config import Config

MOST = 20  # maximum number of class names to show


def settings(records: Records) -> Entry:
    """Tables of rows [name, value, whether it was changed], and the command."""
    config = records.config
    recipe = {"recipe": config.recipe_name} | asdict(config.recipe)
    return {
        "settings": [
            {"title": "Recipe", "rows": _rows(recipe, changes(config))},
            {"title": "Data", "rows": _rows(_data(config))},
            {"title": "Environment", "rows": _rows(_environment(records))},
        ],
        "command": command(config),
        "remark": " ".join(_remarks(config)),
    }


def _remarks(config: Config) -> list[str]:
    """The reasons why the command does not repeat the run exactly, if there are any."""
    remarks, origin = [], config.init_from
    if missing := ", ".join(without_flag(config)):
        remarks.append(f"These settings have no flag and are missing in the command: {missing}.")
    if origin is not None:
        weights = f"{origin['run']} ({origin['recipe']} on {origin['data']}) after {origin['images_seen']:,} images"
        remarks.append(f"The run was initialised with the weights of {weights}; add --init-from.")
    if config.history:
        places = (
            f"after {one['after']:,} images: {one['field']} changed from {_shown(one['old'])} to {_shown(one['new'])}"
            for one in config.history
        )
        remarks.append(
            f"Settings changed when the run was resumed: {'; '.join(places)}. The command uses the latest values."
        )
    return remarks


def _data(config: Config) -> Entry:
    data = config.data
    more = f", … ({len(data.classes):,})" if len(data.classes) > MOST else ""
    return {
        "name": data.name,
        "images": data.images,
        "classes": ", ".join(data.classes[:MOST]) + more or "none",
        **(asdict(data.pictures) if data.pictures else {}),
        **(asdict(data.pairs) if data.pairs else {}),
        "size": _size(data.size),
        **({"size of the inputs": _size(data.source_size)} if data.source_size else {}),
        "digest": data.digest,
    }


def _size(size: ImageSize) -> str:
    return f"{size.width}x{size.height}x{size.channels}"


def _environment(records: Records) -> Entry:
    config, network = records.config, records.floors.get("features")
    found = {"device": config.device, "threads": config.threads, "seed": str(config.seed)}
    if config.compile:
        found["compiled"] = True
    if config.processes > 1:
        found["processes"] = config.processes
    for key, value in records.environment.items():
        found |= value if isinstance(value, dict) else {key: value}
    if isinstance(network, dict):
        found |= {"feature network": network.get("name"), "its SHA-256": network.get("sha256")}
    return found


def _rows(facts: Entry, changed: Iterable[str] = ()) -> list[list[Any]]:
    return [[name.replace("_", " "), _shown(value), name in changed] for name, value in facts.items()]


def _shown(value: Any) -> str:
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: "none"}[value]
    if isinstance(value, int):
        return f"{value:,}"
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
