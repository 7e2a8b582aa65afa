"""A request for images: which latents and labels, in which batches."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gan_runtime.errors import InputError
from gan_runtime.latents import default_labels, draw_latents

if TYPE_CHECKING:
    from gan_runtime.generator import Generator


@dataclass(frozen=True)
class Draw:
    """The images start .. start + n - 1 of `seed`, or those of one's own `latents`. Made by `Generator.draw`."""

    generator: "Generator"
    n: int
    seed: int
    start: int
    own_labels: NDArray[np.int64] | None
    own_latents: NDArray[np.float32] | None
    batch_size: int

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of all images together: n, height, width, channels; of points: n, coordinates."""
        return self.n, *self.generator.image_shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """uint8 of images, float32 of points."""
        return np.dtype(np.float32 if self.generator.points else np.uint8)

    def part(self, first: int, count: int) -> "Draw":
        """The `count` images from the one at `first` on as a request of their own: the same images.

        Raises:
            InputError: the images are not all in this request.
        """
        if not 0 <= first < first + count <= self.n:
            raise InputError(f"part {first} to {first + count}: the request has the images 0 to {self.n - 1}")
        rows = slice(first, first + count)
        return replace(
            self,
            n=count,
            start=self.start + first,
            own_labels=None if self.own_labels is None else self.own_labels[rows],
            own_latents=None if self.own_latents is None else self.own_latents[rows],
        )

    def batches(self) -> Iterator[NDArray[np.uint8]]:
        """The images in order, uint8 [at most batch_size, height, width, channels] at a time."""
        # CUDA tunes itself for each new shape: fill the last batch up rather than show it another one.
        one_shape = self.generator.session.device == "cuda" and self.n > self.batch_size
        for first in range(0, self.n, self.batch_size):
            count = min(self.batch_size, self.n - first)
            z, y = self.latents(first, count), self.labels(first, count)
            if one_shape:
                z, y = pad(z, self.batch_size), None if y is None else pad(y, self.batch_size)
            yield self.generator.batch(z, y)[:count]

    def latents(self, first: int, count: int) -> NDArray[np.float32]:
        """Latents of `count` images from the one at `first` on, float32 [count, latent_dim]."""
        if self.own_latents is not None:
            return self.own_latents[first : first + count]
        roles = self.generator.roles.latents
        return draw_latents(self.seed, self.start + first, count, roles.dim, roles.distribution)

    def labels(self, first: int, count: int) -> NDArray[np.int64] | None:
        """Labels of the same images, int64 [count]; None for an unconditional generator."""
        if self.own_labels is not None:
            return self.own_labels[first : first + count]
        classes = self.generator.classes
        return default_labels(self.start + first, count, classes) if classes else None


def pad(rows: NDArray[Any], size: int) -> NDArray[Any]:
    """Repeat the last of `rows` up to `size` rows."""
    return np.concatenate([rows, np.repeat(rows[-1:], size - len(rows), axis=0)])
