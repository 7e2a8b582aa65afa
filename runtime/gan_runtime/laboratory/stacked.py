"""Colour images whose channels are grey images of another data set: with ten classes, a thousand countable modes.

Metz et al. 2017, "Unrolled generative adversarial networks", section 3.3, built one from MNIST to test generators for
mode collapse.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from gan_runtime.data.dataset import Dataset
from gan_runtime.data.idx import load_idx
from gan_runtime.data.registry import SOURCES

CHANNELS = 3
KEYS = {"train": 2017, "test": 2018}  # Philox keys of the choice of images
VERSION = 1  # of the choice


@dataclass(frozen=True)
class StackedSource:
    """Colour images whose channels are grey images of the data set `of`, and the number of images in each split."""

    of: str
    images: dict[str, int]
    kind: ClassVar = "images"
    evaluation: ClassVar = ""

    def load(
        self, name: str, split: str, data_dir: str | Path | None = None, offline: bool = False, quiet: bool = False
    ) -> Dataset:
        """As `load_dataset`."""
        return stack(name, load_idx(self.of, split, data_dir, offline, quiet), self.images[split])

    def counts(self, split: str) -> dict[str, int]:
        """As `ComputedSource.counts`."""
        return {"images": self.images[split]}

    def facts(self) -> dict[str, object]:
        """As `ComputedSource.facts`."""
        modes = len(SOURCES[self.of].classes) ** CHANNELS
        return {"made of": f"three images of {self.of}", "modes": modes}


# 128,000 training images as in Lin et al. 2018, "PacGAN", section 4. It and Srivastava et al. 2017, "VEEGAN", section
# 4, count modes among 26,000 images.
STACKED = {"stacked-mnist": StackedSource("mnist", {"train": 128_000, "test": 26_000})}


def stack(name: str, parts: Dataset, n: int) -> Dataset:
    """n colour images made of three grey ones each, the same on every host and with every version of numpy.

    Args:
        name: of the result.
        parts: a split of grey images with classes 0 .. c - 1.
        n: number of images, positive.

    Returns:
        Images uint8 [n, h, w, 3] with c**3 modes; labels are c**2 red + c green + blue. Networks are not told them.
    """
    words = np.random.Philox(key=KEYS[parts.split]).random_raw(n * CHANNELS)
    chosen: NDArray[np.int64] = (words % np.uint64(len(parts.images))).astype(np.int64).reshape(n, CHANNELS)
    images = np.empty((n, *parts.images.shape[1:3], CHANNELS), np.uint8)
    for channel in range(CHANNELS):
        images[..., channel] = parts.images[chosen[:, channel], :, :, 0]
    weights = len(parts.classes) ** np.arange(CHANNELS - 1, -1, -1)
    made = f"stacked {VERSION} {KEYS[parts.split]} {n} {parts.digest}"
    digest = hashlib.sha256(made.encode()).hexdigest()
    modes = len(parts.classes) ** CHANNELS
    return Dataset(name, parts.split, images, parts.labels[chosen] @ weights, (), digest, modes)
