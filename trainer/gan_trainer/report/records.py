"""What the files of a run folder say, read with patience: all but config.json may be missing, cut off or damaged."""

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from gan_trainer.config import Config
from gan_trainer.runs import CONFIG, METRICS, Run

FLOORS, BEST = "floors.json", "best.json"

Entry = dict[str, Any]
T = TypeVar("T")


@dataclass(frozen=True)
class Records:
    """A run in the words of its own files.

    Attributes:
        config, environment: what config.json holds, and what it says besides.
        losses, evaluations, warnings: the three kinds of lines in metrics.jsonl, by images seen.
        floors: floors.json; empty where there is none.
        best: checkpoints/best.json; empty where there is none.
        pictures: the grids of samples, oldest first.
    """

    name: str
    config: Config
    environment: Entry
    losses: list[Entry]
    evaluations: list[Entry]
    warnings: list[Entry]
    floors: Entry
    best: Entry
    pictures: list[Path]

    @property
    def last(self) -> Entry:
        """The entry that has seen most images."""
        return max(self.losses + self.evaluations, key=lambda entry: entry["images"], default={})

    def real(self, n: int, images: str) -> Entry:
        """What n real images score: "test images" or "training images"."""
        return _dict(_dict(_dict(self.floors.get("floors")).get(str(n))).get(images))

    def seconds_at(self, images: float) -> float | None:
        """Seconds of training after so many images, between two entries if need be; None after the last one."""
        known = [(0, 0), *sorted((entry["images"], entry["seconds"]) for entry in self.losses + self.evaluations)]
        return round(float(np.interp(images, *zip(*known, strict=True))), 3) if images <= known[-1][0] else None


def read_records(run: Run) -> Records:
    """Read a run folder. Raises GanEdgeError where config.json is missing, damaged or of another version."""
    document = _object(run.folder / CONFIG)
    config = Config.from_dict(document, str(run.folder / CONFIG))
    entries = _entries(run.folder / METRICS)
    timed = [entry for entry in entries if number(entry, "seconds") is not None]
    return Records(
        name=run.folder.resolve().name,
        config=config,
        environment={key: document[key] for key in document.keys() - config.to_dict().keys()},
        losses=[entry for entry in timed if "d_loss" in entry],
        evaluations=[entry for entry in timed if isinstance(entry.get("n"), int)],
        warnings=[entry for entry in entries if isinstance(entry.get("warning"), str)],
        floors=_object(run.folder / FLOORS),
        best=_best(run.checkpoints / BEST),
        pictures=sorted((path for path in run.samples.glob("*.png") if path.stem.isdecimal()), key=images_of),
    )


def images_of(picture: Path) -> int:
    """Images seen when a grid was drawn."""
    return int(picture.stem)


def number(entry: Entry, key: str) -> float | None:
    """A finite number, or None."""
    value = entry.get(key)
    return value if isinstance(value, int | float) and math.isfinite(value) else None


def spread(items: list[T], most: int) -> list[T]:
    """At most `most` of them, evenly, with the first and the last; few choices change as the list grows."""
    step = 1
    while len(items) > step * (most - 1):
        step *= 2
    return items[::step] + (items[-1:] if (len(items) - 1) % step else [])


def _best(path: Path) -> Entry:
    best = _object(path)
    return best if all(number(best, key) is not None for key in ("images", "fid", "n")) else {}


def _entries(path: Path) -> list[Entry]:
    """The lines that are whole, by images seen."""
    lines = path.read_text("utf-8", errors="replace").splitlines() if path.exists() else []
    entries = [entry for entry in map(_parse, lines) if number(entry, "images") is not None]
    return sorted(entries, key=lambda entry: float(entry["images"]))


def _object(path: Path) -> Entry:
    return _parse(path.read_text("utf-8", errors="replace")) if path.is_file() else {}


def _parse(text: str) -> Entry:
    try:
        return _dict(json.loads(text, parse_constant=lambda _: None))  # NaN is no JSON
    except (ValueError, RecursionError):
        return {}


def _dict(value: Any) -> Entry:
    return value if isinstance(value, dict) else {}
