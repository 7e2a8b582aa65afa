"""The observers of a run, and the events that they receive."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gan_trainer.training.state import TrainState


class Observer:
    """Is told what happens in a run. Every method does nothing by default: override those that you need.

    An observer must not change the state. An exception that it raises ends the run; the last checkpoint remains.
    """

    def stepped(self, state: TrainState) -> None:
        """One batch has been trained on. Reading a loss from a GPU here makes the host wait for the GPU."""

    def logged(self, state: TrainState, entry: dict[str, Any]) -> None:
        """An entry of metrics.jsonl: mean losses (it has an `lr`), an evaluation (an `n`), or a `warning`."""

    def previewed(self, state: TrainState, picture: NDArray[np.uint8], path: Path) -> None:
        """A picture of fixed samples, uint8 [h, w, c], has been saved at `path`."""

    def saved(self, state: TrainState, path: Path) -> None:
        """A checkpoint has been saved at `path`."""

    def said(self, message: str) -> None:
        """A remark for people."""

    def warned(self, message: str) -> None:
        """A problem. An entry of metrics.jsonl follows."""

    def ended(self, state: TrainState) -> None:
        """The last step has been made and evaluated; the last checkpoint follows."""
