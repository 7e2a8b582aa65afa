"""A request for images: which latents and labels, in which batches."""

import hashlib
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

    @property
    def unit(self) -> str:
        """What is counted: "images" or "points"."""
        return "points" if self.generator.points else "images"

    @property
    def threads(self) -> int:
        """Threads of the generator."""
        return self.generator.threads

    @property
    def classes(self) -> int:
        """Number of classes of the labels; 0 for an unconditional generator."""
        return self.generator.classes

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names of the classes in order; empty where they have none."""
        return self.generator.class_names

    def identity(self) -> dict[str, Any]:
        """What determines the images, as JSON: the model's digest, and the request without its batch size."""
        foreign = self.generator.roles.foreign
        return {
            "model": self.generator.model.sha256,
            "seed": self.seed,
            "start": self.start,
            "n": self.n,
            "label": _one_or_digest(self.own_labels),
            "latents": None if self.own_latents is None else hashlib.sha256(self.own_latents.tobytes()).hexdigest(),
            **({"read_as": foreign.report()} if foreign else {}),
        }

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


def _one_or_digest(labels: NDArray[np.int64] | None) -> int | str | None:
    if labels is None:
        return None
    if np.all(labels == labels[0]):
        return int(labels[0])
    return hashlib.sha256(np.ascontiguousarray(labels).tobytes()).hexdigest()


def pad(rows: NDArray[Any], size: int) -> NDArray[Any]:
    """Repeat the last of `rows` up to `size` rows."""
    return np.concatenate([rows, np.repeat(rows[-1:], size - len(rows), axis=0)])
