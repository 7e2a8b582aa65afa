"""Models that take images and give vectors: what encoders and feature networks have in common."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import repeat
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gan_runtime.errors import InputError
from gan_runtime.manifest import EncodeManifest, FeaturesManifest, ImageAxes, ImageSize
from gan_runtime.onnx_model import OnnxModel

IMAGES = "images"
# On a CPU each run has one thread and so many images: results cannot depend on the number of threads. Files from LARGE
# bytes on get FEW images: Inception needs 1 GB per thread for 64, and is not faster. A run has PIXELS values at most.
PIECE, FEW, LARGE, PIXELS = 64, 4, 2**25, 2**24


@dataclass(frozen=True, eq=False, repr=False)
class ImageReader(OnnxModel):
    """A model with the input `images` uint8 [n, h, w, c]."""

    manifest: EncodeManifest | FeaturesManifest

    @property
    def size(self) -> ImageAxes:
        """The size of the images that it takes."""
        return self.manifest.images

    def read(
        self,
        batches: Iterable[NDArray[np.uint8]],
        outputs: list[str],
        n: int | None = None,
        keep: Callable[..., tuple[NDArray[Any], ...]] = lambda *arrays: arrays,
    ) -> list[NDArray[Any]]:
        """The `outputs` for all images, which come batch by batch, in arrays that are allocated once.

        `n` is the number of images; without it, all batches are in memory at once. `keep` selects what is kept of the
        outputs of a piece.

        Raises:
            InputError: the images are of another size than the file takes, there are none, or the model is closed.
            DeviceError: the device fails.
            ModelError: a value is not finite.
        """

        def run(images: NDArray[np.uint8], chunk: int) -> tuple[NDArray[Any], ...]:
            return keep(*self.run(outputs, {IMAGES: images}, len(images), chunk))

        if n is None:
            batches = list(batches)
            n = sum(map(len, batches))
        found: list[NDArray[Any]] = []
        first = 0
        for piece in self._in_pieces(batches, run):
            found = found or [np.empty((n, *part.shape[1:]), part.dtype) for part in piece]
            for whole, part in zip(found, piece, strict=True):
                whole[first : first + len(part)] = part
            first += len(piece[0])
        if not first:
            raise InputError(f"there are no images for {self.model.path}")
        return [whole[:first] for whole in found]

    def _in_pieces(
        self, batches: Iterable[NDArray[np.uint8]], run: Callable[..., tuple[NDArray[Any], ...]]
    ) -> Iterator[tuple[NDArray[Any], ...]]:
        """What `run` gives for each piece of the batches, and the number of images in the largest piece until then."""
        chunk = 0
        for batch in batches:
            pieces = self._cut(batch)
            chunk = max(chunk, *map(len, pieces), 0)
            yield from self.workers.map(run, pieces, repeat(chunk))

    def piece_size(self, values: int) -> int:
        """Images of `values` values each per run."""
        most = PIECE if not self.on_cpu or self.model.size < LARGE else FEW
        return max(1, min(most, PIXELS // max(1, values)))

    def piece_of(self, batch: NDArray[np.uint8]) -> int:
        """Images of `batch` per run."""
        return self.piece_size(batch[:1].size)

    def check_size(self, size: ImageSize, what: str) -> None:
        """Raise InputError where images of `size` are not what the file takes."""
        if not self.size.takes(size):
            raise InputError(f"{what}: {size} images; {self.model.path} takes {self.size}")

    def _cut(self, batch: NDArray[np.uint8]) -> list[NDArray[np.uint8]]:
        if batch.dtype != np.uint8 or batch.ndim != 4:
            raise InputError(f"images {batch.dtype} {list(batch.shape)}: {self.model.path} takes uint8 [n, h, w, c]")
        self.check_size(ImageSize(*batch.shape[1:]), "images")
        piece = self.piece_of(batch)
        return [batch[first : first + piece] for first in range(0, len(batch), piece)]
