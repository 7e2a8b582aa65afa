"""Points in the plane: mixtures of equal Gaussians around known modes, computed where they are needed."""

import hashlib
import math
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np

from gan_runtime.data.dataset import Dataset
from gan_runtime.errors import DataError
from gan_runtime.latents import draw_latents

KEYS = {"train": (1, 2), "test": (3, 4)}  # Philox keys: of the modes, and of the offsets from them
VERSION = 1  # of how points are drawn


@dataclass(frozen=True)
class PointsSource:
    """A mixture of equally likely Gaussians in the plane.

    Attributes:
        modes: their centres.
        deviation: the standard deviation of each along each axis.
        extent: larger than any coordinate. Networks see points divided by it; pictures show [-extent, extent].
        points: the size of each split.
    """

    modes: tuple[tuple[float, float], ...]
    deviation: float
    extent: float
    points: dict[str, int]
    of: ClassVar = ""
    kind: ClassVar = "points"
    evaluation: ClassVar = "gan_runtime.laboratory.evaluation"

    def load(
        self, name: str, split: str, data_dir: str | Path | None = None, offline: bool = False, quiet: bool = False
    ) -> Dataset:
        """The points of a split, the same on every host.

        Returns:
            A data set whose "images" are points divided by `extent`, float32 [n, 1, 1, 2] in [-1, 1]. Labels are the
            modes; networks are not told them.

        Raises:
            DataError: there is no such split.
        """
        if split not in self.points:
            raise DataError(f"split {split!r}: {name} has {' and '.join(self.points)}")
        (which, where), n = KEYS[split], self.points[split]
        modes = (np.random.Philox(key=which).random_raw(n) % np.uint64(len(self.modes))).astype(np.int64)
        around = draw_latents(where, 0, n, 2).astype(np.float64)
        points = (np.asarray(self.modes)[modes] + self.deviation * around) / self.extent
        digest = hashlib.sha256(f"points {VERSION} {KEYS[split]} {self}".encode()).hexdigest()
        return Dataset(name, split, points.astype(np.float32)[:, None, None, :], modes, (), digest, len(self.modes))

    def counts(self, split: str) -> dict[str, int]:
        """As `ComputedSource.counts`."""
        return {"points": self.points[split]}

    def facts(self) -> dict[str, object]:
        """As `ComputedSource.facts`."""
        return {"made of": f"Gaussians of deviation {self.deviation:g}", "modes": len(self.modes)}


# Srivastava et al. 2017, "VEEGAN", section 4.1, and Lin et al. 2018, "PacGAN", section 4.1. Ring and deviation of Metz
# et al. 2017 are twice as large: the same task.
_DIAGONAL, _STEPS = math.sqrt(2.0), (-4.0, -2.0, 0.0, 2.0, 4.0)
_RING = ((2.0, 0.0), (_DIAGONAL, _DIAGONAL), (0.0, 2.0), (-_DIAGONAL, _DIAGONAL))
_POINTS = {"train": 100_000, "test": 100_000}
POINTS = {
    "ring8": PointsSource((*_RING, *((-x, -y) for x, y in _RING)), 0.02, 2.5, _POINTS),
    "grid25": PointsSource(tuple((x, y) for x in _STEPS for y in _STEPS), 0.05, 5.0, _POINTS),
}
