"""The side of tiles that keeps the memory of a job within a bound, by what a small tile was seen to need."""

import math
import threading

import numpy as np

from gan_runtime.devices.memory import available_memory, resident_memory
from gan_runtime.tiling import least_window
from gan_runtime.transform.model import PictureModel

BOUND = 2**29  # bytes of the network and of the bands of its results, beside the decoded picture
SHARE = 0.5  # of the memory that is available, if that is less
SIDES = (32, 128)  # pixels of the tiles that are tried, the second one if the first one needs next to nothing
SEEN = 2**23  # bytes that are well above the noise of the measurement
BANDS = 3  # of results that are in memory at a time: one is computed, one waits, and one is encoded


class AutoTile:
    """Chooses the side of tiles. Any number of threads may use it at once.

    Networks on a GPU, and those whose tiles are blended, get the usual side: what they give depends on it.
    """

    def __init__(self, model: PictureModel) -> None:
        self._model, self._lock = model, threading.Lock()
        self._per_pixel: float | None = None

    def side(self, height: int, width: int) -> int | None:
        """The side for a picture of this size in pixels; None if the model takes pictures of one size."""
        model, tiling, small = self._model, self._model.tiling(None), max(height, width) <= max(SIDES)
        if tiling is None or tiling.context is None or model.window is None or model.device != "cpu" or small:
            return model.window
        free = available_memory()
        if free is None:
            return model.window
        bound = min(BOUND, SHARE * free)
        of_tiles, of_bands = model.runs * self._needed(), BANDS * model.scale**2 * width * (model.channels + 1)
        side = int((math.hypot(of_bands, 2 * math.sqrt(of_tiles * bound)) - of_bands) / (2 * of_tiles))
        return max(least_window(tiling), min(side, model.window))

    def _needed(self) -> float:
        """Bytes that the model needs per pixel of a tile, as measured once."""
        with self._lock:
            if self._per_pixel is None:
                self._per_pixel = _measured(self._model)
            return self._per_pixel


def _measured(model: PictureModel) -> float:
    """How much this process grows per pixel of a tile. ONNX Runtime keeps the memory that it has once used."""
    before, grown = resident_memory() or 0, 0
    for side in SIDES:
        for _ in model.run(np.zeros((side, side, model.source.channels or 1), np.uint8), 0, None):
            grown = max(grown, (resident_memory() or 0) - before)
        if grown > SEEN:
            return grown / side**2
    return max(grown, 1) / max(SIDES) ** 2
