"""What metrics.jsonl and samples/ hold, for TensorBoard as well: scalars and pictures over images seen."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

FOLDER = "tensorboard"
AXES = ("images", "step", "n")  # what the entries of metrics.jsonl are plotted over


class Board:
    """Event files in runs/<name>/tensorboard. A resumed run takes the place of what it says anew."""

    def __init__(self, run_folder: Path, images_seen: int) -> None:
        from torch.utils.tensorboard import SummaryWriter  # noqa: PLC0415  (only who asks for it pays for the import)

        self._writer = SummaryWriter(run_folder / FOLDER, purge_step=images_seen + 1)

    def scalars(self, entry: dict[str, Any]) -> None:
        """One entry of metrics.jsonl."""
        group = f"evaluation of {entry['n']:,}/" if "n" in entry else ""
        for name, value in entry.items():
            if name not in AXES and isinstance(value, int | float):
                self._writer.add_scalar(group + name, value, entry["images"])
        self._writer.flush()

    def picture(self, images_seen: int, picture: NDArray[np.uint8]) -> None:
        """A grid of samples, uint8 [h, w, c]."""
        self._writer.add_image("samples", picture, images_seen, dataformats="HWC")
        self._writer.flush()

    def close(self) -> None:
        """Write what is left."""
        self._writer.close()
