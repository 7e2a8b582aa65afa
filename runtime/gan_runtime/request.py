"""A request for samples: which latents and labels, in which batches. Pure data, which knows no generator."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gan_runtime.latents import default_labels, draw_latents
from gan_runtime.manifest import Latents


@dataclass(frozen=True)
class SampleRequest:
    """The samples start .. start + n - 1 of `seed`, or those of given latents. Made by `Generator.request`."""

    n: int
    seed: int
    start: int
    space: Latents
    """How many values a latent has, and from which distribution they are drawn."""
    classes: int
    """Number of classes of the labels; 0 for an unconditional generator."""
    own_labels: NDArray[np.int64] | None
    own_latents: NDArray[np.float32] | None
    batch_size: int

    def latents(self, first: int, count: int) -> NDArray[np.float32]:
        """Latents of `count` samples from the one at `first` on, float32 [count, dim]."""
        if self.own_latents is not None:
            return self.own_latents[first : first + count]
        return draw_latents(self.seed, self.start + first, count, self.space.dim, self.space.distribution)

    def labels(self, first: int, count: int) -> NDArray[np.int64] | None:
        """Labels of the same samples, int64 [count]; None for an unconditional generator."""
        if self.own_labels is not None:
            return self.own_labels[first : first + count]
        return default_labels(self.start + first, count, self.classes) if self.classes else None


def pad(rows: NDArray[Any], size: int) -> NDArray[Any]:
    """Repeat the last of `rows` up to `size` rows."""
    return np.concatenate([rows, np.repeat(rows[-1:], size - len(rows), axis=0)])
