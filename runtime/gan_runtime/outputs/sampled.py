"""Images to write: a request, and the generator that fulfils it."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gan_runtime.manifest import Points
from gan_runtime.request import SampleRequest, pad

if TYPE_CHECKING:
    from gan_runtime.generator import Generator


@dataclass(frozen=True)
class SampledImages:
    """The samples of `request` from `generator`: a `gan_runtime.outputs.source.Source`. Made by `Generator.draw`."""

    generator: "Generator"
    request: SampleRequest

    @property
    def n(self) -> int:
        """Number of images."""
        return self.request.n

    @property
    def start(self) -> int:
        """Index of the first image."""
        return self.request.start

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of all images together: n, height, width, channels; of points: n, coordinates."""
        return self.request.n, *self.generator.image_shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """uint8 of images, float32 of points."""
        return self.generator.dtype

    @property
    def unit(self) -> str:
        """What is counted: "images" or "points"."""
        return "points" if self.points else "images"

    @property
    def threads(self) -> int:
        """Threads of the generator."""
        return self.generator.threads

    @property
    def classes(self) -> int:
        """Number of classes of the labels; 0 for an unconditional generator."""
        return self.request.classes

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names of the classes in order; empty where they have none."""
        return self.generator.class_names

    @property
    def path(self) -> Path:
        """The file that draws them, for messages."""
        return self.generator.model.path

    @property
    def points(self) -> Points | None:
        """What the points are; None for images."""
        return self.generator.points

    @property
    def trained_on(self) -> str | None:
        """The data set that the generator was trained on, if its file says so."""
        return self.generator.trained_on

    def identity(self) -> dict[str, Any]:
        """What determines the images, as JSON: the model's digest, how it is read, and the request."""
        foreign = self.generator.signature.foreign
        read_as = {"read_as": foreign.report()} if foreign else {}
        return {"model": self.generator.model.sha256, **self.request.identity(), **read_as}

    def part(self, first: int, count: int) -> "SampledImages":
        """The images first .. first + count - 1, the same ones. Raises InputError where they are not all here."""
        return replace(self, request=self.request.part(first, count))

    def labels(self, first: int, count: int) -> NDArray[np.int64] | None:
        """Labels of the images first .. first + count - 1, int64 [count]; None for an unconditional generator."""
        return self.request.labels(first, count)

    def batches(self) -> Iterator[NDArray[Any]]:
        """The images in order, uint8 [at most batch_size, height, width, channels] at a time."""
        for first in range(0, self.n, self.request.batch_size):
            count = min(self.request.batch_size, self.n - first)
            batch = np.empty((count, *self.shape[1:]), self.dtype)
            self._draw(first, batch)
            yield batch

    def array(self) -> NDArray[Any]:
        """All images in one array, uint8 [n, height, width, channels]."""
        images = np.empty(self.shape, self.dtype)
        for first in range(0, self.n, self.request.batch_size):
            self._draw(first, images[first : first + self.request.batch_size])
        return images

    def _draw(self, first: int, into: NDArray[Any]) -> None:
        """Draw one batch, the images from `first` on, into an array."""
        z, y = self.request.latents(first, len(into)), self.request.labels(first, len(into))
        size = self.request.batch_size
        if self.generator.on_cuda and self.n > size:  # CUDA tunes itself for each shape: show it only one
            z, y = pad(z, size), None if y is None else pad(y, size)
        self.generator.draw_batch(z, y, into)
