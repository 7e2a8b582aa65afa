"""Read the files of a run folder. All of them except config.json may be missing, truncated or damaged."""

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from gan_runtime.errors import GanEdgeError
from gan_trainer.runs import history
from gan_trainer.runs.folder import CONFIG, Run
from gan_trainer.tasks import task_of
from gan_trainer.tasks.task import Entry, Task
from gan_trainer.training.config import Config

T = TypeVar("T")


@dataclass(frozen=True)
class Records:
    """The contents of the files of a run.

    Attributes:
        config, environment: the settings in config.json, and the versions recorded there.
        losses, evaluations, warnings: the three kinds of lines in metrics.jsonl, by images seen.
        best: the best evaluation; the last one if the task has no metric to choose by; empty if there is none.
        floors: floors.json; empty if it is missing.
        pictures: the grids of samples, oldest first.
    """

    name: str
    config: Config
    environment: Entry
    losses: list[Entry]
    evaluations: list[Entry]
    warnings: list[Entry]
    best: Entry
    floors: Entry
    pictures: list[Path]

    @property
    def task(self) -> Task:
        """The task of the run."""
        return task_of(self.config)

    @property
    def last(self) -> Entry:
        """The entry with the most images seen."""
        return max(self.losses + self.evaluations, key=lambda entry: entry["images"], default={})

    def real(self, n: int, images: str) -> Entry:
        """The scores of n real samples: "test images" or "training images"."""
        return _dict(_dict(_dict(self.floors.get("floors")).get(str(n))).get(images))

    def seconds_at(self, images: float) -> float | None:
        """Seconds of training until `images` were seen, interpolated between entries; None after the last entry."""
        known = sorted((entry["images"], entry["seconds"]) for entry in self.losses + self.evaluations)
        seen, seconds = [0, *(point[0] for point in known)], [0, *(point[1] for point in known)]
        return round(float(np.interp(images, seen, seconds)), 3) if images <= seen[-1] else None


def read_records(run: Run) -> Records:
    """Read a run folder. Raises GanEdgeError where config.json is missing, damaged or of another version."""
    document = _document(run.folder / CONFIG)
    config = Config.from_dict(document, str(run.folder / CONFIG))
    entries = sorted(filter(_is_placed, run.entries()), key=lambda entry: float(entry["images"]))
    evaluations = [entry for entry in entries if isinstance(entry.get("n"), int)]
    return Records(
        name=run.folder.resolve().name,
        config=config,
        environment={key: value for key, value in document.items() if key not in config.to_dict()},
        losses=[entry for entry in entries if any(key.endswith("_loss") for key in entry)],
        evaluations=evaluations,
        warnings=[entry for entry in entries if isinstance(entry.get("warning"), str)],
        best=_best(evaluations, task_of(config)),
        floors=run.floors() or {},
        pictures=sorted((path for path in run.samples.glob("*.png") if path.stem.isdecimal()), key=images_of),
    )


def images_of(picture: Path) -> int:
    """Images seen when the grid at `path` was drawn."""
    return int(picture.stem)


def number(entry: Entry, key: str) -> float | None:
    """A finite number, or None."""
    value = entry.get(key)
    return value if isinstance(value, int | float) and math.isfinite(value) else None


def scaled(entry: Entry, key: str, scale: float) -> float | None:
    """`scale` times a finite number, or None; an integer that is not scaled stays one."""
    value = number(entry, key)
    return value if value is None or scale == 1 else scale * value


def spread(items: list[T], most: int) -> list[T]:
    """At most `most` items, evenly spaced, with the first and the last; the choice is stable as the list grows."""
    step = 1
    while len(items) > step * (most - 1):
        step *= 2
    return items[::step] + (items[-1:] if (len(items) - 1) % step else [])


def _best(evaluations: list[Entry], task: Task) -> Entry:
    if task.best is None:
        return evaluations[-1] if evaluations else {}
    return history.best(evaluations, task.best) or {}


def _is_placed(entry: Entry) -> bool:
    return number(entry, "images") is not None and number(entry, "seconds") is not None


def _document(path: Path) -> Any:
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise GanEdgeError(f"{path}: cannot be read: {error}") from None


def _dict(value: Any) -> Entry:
    return value if isinstance(value, dict) else {}
