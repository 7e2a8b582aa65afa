"""Write the contents of metrics.jsonl and samples/ for TensorBoard: scalars and images over images seen."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gan_trainer.training.observer import Observer
from gan_trainer.training.state import TrainState

FOLDER = "tensorboard"
AXES = ("images", "step", "n")  # x axes of the plots, not scalars


class Board(Observer):
    """Event files in runs/<name>/tensorboard. A resumed run replaces what was written after its checkpoint."""

    def __init__(self, run_folder: Path, images_seen: int) -> None:
        from torch.utils.tensorboard import SummaryWriter  # noqa: PLC0415  (imported on demand: slow)

        self._writer = SummaryWriter(run_folder / FOLDER, purge_step=images_seen + 1)

    def logged(self, state: TrainState, entry: dict[str, Any]) -> None:
        """Write the numbers of one entry."""
        group = f"evaluation of {entry['n']:,}/" if "n" in entry else ""
        for name, value in entry.items():
            if name not in AXES and isinstance(value, int | float):
                self._writer.add_scalar(group + name, value, entry["images"])
        self._writer.flush()

    def previewed(self, state: TrainState, picture: NDArray[np.uint8], path: Path) -> None:
        """Write a grid of samples."""
        self._writer.add_image("samples", picture, state.images_seen, dataformats="HWC")
        self._writer.flush()

    def close(self) -> None:
        """Flush and close the event file."""
        self._writer.close()
