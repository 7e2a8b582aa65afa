"""Models that draw: images, or points, for rows of inputs, in batches, and these in pieces for the threads."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from gan_runtime.devices.memory import available_memory, check_memory
from gan_runtime.errors import InputError, ModelError
from gan_runtime.manifest import GenerateManifest, ImageSize, Points, SynthesizeManifest
from gan_runtime.onnx_model import OnnxModel
from gan_runtime.request import pad
from gan_runtime.signature import DrawnSignature

Images: TypeAlias = NDArray[np.uint8]
"""uint8 [n, height, width, channels]; of a file that draws points, float32 [n, coordinates]."""

BATCH_SIZE = 64  # on a GPU
MAX_BATCH_SIZE = 65536
# On a CPU each run of the session has one thread and a piece of the batch: that scales with the processors where the
# threads of one operator do not, and an image cannot depend on their number. A piece is worth a thread from so many
# output values on, and leaves the caches beyond so many, or so many rows.
PIECE_VALUES = 32 * 28 * 28, 256 * 28 * 28
PIECE_ROWS = 64
# Memory of images drawn at once, as measured of StyleGAN2 (benchmarks/generator_memory.py): bytes per value of the
# largest tensor and per value of noise, the share of the free memory that is used, and what is always there.
PER_ACTIVATION, PER_NOISE, SHARE, LITTLE = 32, 64, 0.5, 2**28


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
        """The batch size to use: `wanted`, checked, or what keeps the device busy and fits into memory.

        Raises:
            InputError: it is out of range.
            DeviceError: so many images, or even one of them, need more memory than is free.
        """
        if wanted is not None and not 1 <= wanted <= MAX_BATCH_SIZE:
            raise InputError(f"batch size {wanted}: must be between 1 and {MAX_BATCH_SIZE}")
        if not self.on_cpu:
            return wanted or BATCH_SIZE
        usual = min(self.threads * max(1, PIECE_VALUES[1] // math.prod(self.image_shape)), MAX_BATCH_SIZE)
        at_once, each = min(wanted or usual, usual), self.image_bytes
        if at_once * each <= LITTLE:
            return wanted or usual
        needs = f"{self.model.path}: drawing {{}} x {self.size}"
        check_memory(needs.format(1), each, self._free)
        if wanted is not None:
            check_memory(needs.format(at_once), at_once * each, self._free)
        return wanted or (usual if self._free is None else max(1, min(usual, int(SHARE * self._free / each))))

    @property
    def image_bytes(self) -> int:
        """Bytes that are needed to draw one image; 0 if the file does not say how large its activations are."""
        about = self.manifest
        if not isinstance(about, GenerateManifest | SynthesizeManifest):
            return 0
        return PER_ACTIVATION * about.activations + (PER_NOISE * about.noise.dim if about.noise else 0)

    @cached_property
    def _free(self) -> int | None:
        """Bytes that were free before the first image: ONNX Runtime keeps what it has once used."""
        return available_memory()

    def piece_size(self, n: int) -> int:
        """How many of n rows there are in each run."""
        if self.signature.fixed_batch:
            return self.signature.fixed_batch
        if not self.on_cpu:
            return n
        least, most = (max(1, values // math.prod(self.image_shape)) for values in PIECE_VALUES)
        return min(max(-(-n // self.threads), least), most, max(least, PIECE_ROWS))

    def _draw_batch(self, request: Request, first: int, into: Images) -> None:
        """Draw the images of `request` from `first` on into an array, in pieces for the threads."""
        rows = self.signature.fixed_batch or 0
        if not self.on_cpu and request.n > request.batch_size:  # a GPU tunes itself for each shape: show it only one
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
