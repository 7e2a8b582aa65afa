"""Files that take images and give vectors: what encoders and feature networks have in common."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gan_runtime.errors import InputError, ModelError
from gan_runtime.manifest import ImageAxes, ImageSize
from gan_runtime.model_file import ModelFile
from gan_runtime.randomness import random_numbers
from gan_runtime.session import Session, run_session
from gan_runtime.threads import Workers

IMAGES = "images"
PIECE = 64  # images of one run on a CPU, each on one thread: what is read cannot depend on the number of threads
LARGE, FEW = 2**25, 4  # bytes of a file that gets so few: for 64 images Inception needs 1 GB a thread, and no less time
PIXELS = 2**24  # bytes of the images of one run, unless it has only one image


@dataclass(frozen=True)
class ImageReader:
    """A file with the input `images` uint8 [n, h, w, c], open on a device."""

    model: ModelFile
    session: Session
    size: ImageAxes
    workers: Workers

    def __post_init__(self) -> None:
        if self.model.random_ops:
            raise random_numbers(self.model)

    def read(
        self,
        batches: Iterable[NDArray[np.uint8]],
        outputs: list[str],
        keep: Callable[..., tuple[NDArray[Any], ...]] = lambda *arrays: arrays,
    ) -> list[NDArray[Any]]:
        """The `outputs` for all images, which come batch by batch; `keep` says what to keep of those of a piece.

        Raises:
            InputError: the images are of another size than the file takes, or there are none.
            DeviceError: the device fails.
            ModelError: a value is not finite.
        """

        def run(images: NDArray[np.uint8]) -> tuple[NDArray[Any], ...]:
            return keep(*self._run(images, outputs))

        pieces = [piece for batch in batches for piece in self.workers.map(run, self._cut(batch))]
        if not pieces:
            raise InputError(f"there are no images for {self.model.path}")
        arrays = [np.concatenate(parts) for parts in zip(*pieces, strict=True)]
        if not all(np.isfinite(array).all() for array in arrays):
            raise ModelError(f"{self.model.path}: gives values that are not finite")
        return arrays

    def check_size(self, size: ImageSize, what: str) -> None:
        """Raise InputError where images of `size` are none that the file takes."""
        if not self.size.takes(size):
            raise InputError(f"{what}: {size} images; {self.model.path} takes {self.size}")

    def _cut(self, batch: NDArray[np.uint8]) -> Iterator[NDArray[np.uint8]]:
        if batch.dtype != np.uint8 or batch.ndim != 4:
            raise InputError(f"images {batch.dtype} {list(batch.shape)}: {self.model.path} takes uint8 [n, h, w, c]")
        self.check_size(ImageSize(*batch.shape[1:]), "images")
        most = FEW if self.session.device == "cpu" and len(self.model.content) >= LARGE else PIECE
        piece = max(1, min(most, PIXELS // max(1, batch[:1].size)))
        for first in range(0, len(batch), piece):
            yield batch[first : first + piece]

    def _run(self, images: NDArray[np.uint8], outputs: list[str]) -> list[NDArray[Any]]:
        return run_session(self.model, self.session, outputs, {IMAGES: images}, len(images))
