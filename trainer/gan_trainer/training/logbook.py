"""Record the events of a run in its folder, and notify observers."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from gan_trainer.training.observer import Observer
from gan_trainer.training.state import TrainState


class Folder(Protocol):
    """Storage for the log, grids and checkpoints of a run."""

    @property
    def checkpoints(self) -> Path:
        """Folder of the checkpoints."""

    def log(self, entry: dict[str, Any]) -> None:
        """Append a line to metrics.jsonl."""

    def save_picture(self, images_seen: int, picture: NDArray[np.uint8]) -> Path:
        """Save a grid of samples, uint8 [h, w, c], and return its path."""

    def best_images(self, now: int | None = None) -> int | None:
        """Images seen at the best evaluation that has a checkpoint, or that gets one after `now` images."""


@dataclass(frozen=True)
class Logbook:
    """The folder of a run, and the observers that are notified of its events."""

    run: Folder
    observers: Sequence[Observer] = ()

    def write(self, state: TrainState, values: dict[str, Any]) -> None:
        """Add an entry to metrics.jsonl: `values` at this point of the run."""
        times = {"seconds": round(state.seconds, 3), "cpu_seconds": round(state.cpu_seconds, 3)}
        entry = {"images": state.images_seen, "step": state.step} | times | values
        self.run.log(entry)
        for observer in self.observers:
            observer.logged(state, entry)

    def losses(self, state: TrainState) -> None:
        """Log the mean losses since the last call. Raises Diverged if one is not finite."""
        state.meter.check(state.step)
        means = state.meter.mean()
        state.meter.reset()
        rate = next(iter(state.optimizers.values())).param_groups[0]["lr"]
        counters = {name: state.counters[name] for name in state.system.logged}
        self.write(state, means | {"lr": rate} | counters | {"images_per_second": round(state.speed, 1)})

    def warn(self, state: TrainState, message: str, **facts: str) -> None:
        """Notify observers of a problem, and log it with `facts`."""
        for observer in self.observers:
            observer.warned(message)
        self.write(state, {"warning": message} | facts)

    def say(self, message: str) -> None:
        """Notify observers of a message."""
        for observer in self.observers:
            observer.said(message)

    def picture(self, state: TrainState, picture: NDArray[np.uint8]) -> Path:
        """Save a grid of samples, uint8 [h, w, c], and return its path."""
        path = self.run.save_picture(state.images_seen, picture)
        for observer in self.observers:
            observer.previewed(state, picture, path)
        return path
