"""Models that draw: images, or points, for rows of inputs, in batches, and these in pieces for the threads."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from gan_runtime.errors import InputError, ModelError
from gan_runtime.manifest import ImageSize, Points
from gan_runtime.onnx_model import OnnxModel
from gan_runtime.request import pad
from gan_runtime.signature import DrawnSignature

Images: TypeAlias = NDArray[np.uint8]
"""uint8 [n, height, width, channels]; of a file that draws points, float32 [n, coordinates]."""

BATCH_SIZE = 64  # on a GPU
MAX_BATCH_SIZE = 65536
# On a CPU each run of the session has one thread and a piece of the batch: that scales with the processors where the
# threads of one operator do not, and an image cannot depend on their number. A piece is worth a thread from so many
# output values on, and leaves the caches beyond so many.
PIECE_VALUES = 32 * 28 * 28, 256 * 28 * 28


class Request(Protocol):
    """What to draw: n rows of inputs, `batch_size` of them at a time."""

    @property
    def n(self) -> int:
        """How many rows there are."""

    @property
    def batch_size(self) -> int:
        """The most rows of a batch."""

    def feeds(self, first: int, count: int) -> dict[str, NDArray[Any]]:
        """Inputs of the graph by name, `count` rows from the one at `first` on."""


@dataclass(frozen=True, eq=False, repr=False)
class Drawing(OnnxModel):
    """A file that draws, open on a device. Base class of Generator and Synthesis."""

    signature: DrawnSignature

    @property
    def size(self) -> ImageSize | Points:
        """Of one image, or what the points are that the file draws."""
        return self.signature.output

    @property
    def image_shape(self) -> tuple[int, ...]:
        """Height, width, channels; of a file that draws points, their coordinates."""
        return self.size.shape

    @property
    def points(self) -> Points | None:
        """What the points are that the file draws; None for one that draws images."""
        return self.size if isinstance(self.size, Points) else None

    @property
    def dtype(self) -> np.dtype[Any]:
        """uint8 of images, float32 of points."""
        return np.dtype(np.float32 if self.points else np.uint8)

    def batches(self, request: Request) -> Iterator[Images]:
        """The images of `request` in order, uint8 [at most batch_size, height, width, channels] at a time."""
        for first in range(0, request.n, request.batch_size):
            count = min(request.batch_size, request.n - first)
            batch = np.empty((count, *self.image_shape), self.dtype)
            self._draw_batch(request, first, batch)
            yield batch

    def array(self, request: Request) -> Images:
        """The images of `request` in one array, which is allocated once."""
        images = np.empty((request.n, *self.image_shape), self.dtype)
        for first in range(0, request.n, request.batch_size):
            self._draw_batch(request, first, images[first : first + request.batch_size])
        return images

    def batch_size(self, wanted: int | None = None) -> int:
        """The batch size to use: `wanted`, checked, or what keeps the device busy."""
        if wanted is not None and not 1 <= wanted <= MAX_BATCH_SIZE:
            raise InputError(f"batch size {wanted}: must be between 1 and {MAX_BATCH_SIZE}")
        if self.session.device == "cpu":
            most = self.threads * max(1, PIECE_VALUES[1] // math.prod(self.image_shape))
            return wanted or min(most, MAX_BATCH_SIZE)
        return wanted or BATCH_SIZE

    def piece_size(self, n: int) -> int:
        """How many of n rows there are in each run."""
        if self.signature.fixed_batch:
            return self.signature.fixed_batch
        if self.session.device != "cpu":
            return n
        least, most = (max(1, values // math.prod(self.image_shape)) for values in PIECE_VALUES)
        return min(max(-(-n // self.threads), least), most)

    def _draw_batch(self, request: Request, first: int, into: Images) -> None:
        """Draw the images of `request` from `first` on into an array, in pieces for the threads."""
        rows = self.signature.fixed_batch or 0
        if self.on_cuda and request.n > request.batch_size:  # CUDA tunes itself for each shape: show it only one
            rows = rows or request.batch_size

        def draw(at: int, count: int) -> Images:
            feeds = {name: pad(x, max(rows, count)) for name, x in request.feeds(first + at, count).items()}
            return self._run(feeds, max(rows, count))[:count]

        self.workers.fill(into, self.piece_size(len(into)), draw)

    def _run(self, feeds: dict[str, NDArray[Any]], n: int) -> Images:
        images: Images = self.signature.read(self.run([self.signature.output_name], self.signature.feeds(feeds), n)[0])
        if images.shape != (n, *self.image_shape):
            expected = [n, *self.image_shape]
            raise ModelError(
                f"{self.model.path}: gives {list(images.shape)} where {expected} was declared; export it again"
            )
        return images
