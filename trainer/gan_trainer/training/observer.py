"""The observers of a run, and the events that they receive."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gan_trainer.training.state import TrainState


class Observer:
    """Receives the events of a run. All methods do nothing by default; override the ones that you need.

    An observer must not change the state. An exception in an observer ends the run; the last checkpoint is kept.
    """

    def stepped(self, state: TrainState) -> None:
        """One batch has been trained on. Reading a loss from a GPU here makes the host wait for the GPU."""

    def logged(self, state: TrainState, entry: dict[str, Any]) -> None:
        """An entry of metrics.jsonl: mean losses (it has an `lr`), an evaluation (an `n`), or a `warning`."""

    def previewed(self, state: TrainState, picture: NDArray[np.uint8], path: Path) -> None:
        """A grid of samples, uint8 [h, w, c], has been saved at `path`."""

    def saved(self, state: TrainState, path: Path) -> None:
        """A checkpoint has been saved at `path`."""

    def said(self, message: str) -> None:
        """A message for the user."""

    def warned(self, message: str) -> None:
        """A warning. It is also logged to metrics.jsonl."""

    def ended(self, state: TrainState) -> None:
        """The last step has been made and evaluated; its checkpoint has not been saved yet."""
