"""Translator: uint8 images in, uint8 images of the same size out."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from gan_runtime.errors import InputError, ModelError
from gan_runtime.manifest import ImageSize, Tiling, TranslateManifest, read_manifest
from gan_runtime.model_file import ModelFile
from gan_runtime.onnx_model import OnnxModel
from gan_runtime.signature import check_signature, check_task
from gan_runtime.tiling import Done, Pixels, Run, run_in_tiles, usual_window

SOURCE, IMAGES = "source", "images"
PIECE = 2**18  # pixels per run of a batch of small images


@dataclass(frozen=True, eq=False, repr=False)
class Translator(OnnxModel):
    """A translator file, open on a device.

    >>> from gan_runtime import Translator
    >>> with Translator.load("sketch.onnx") as translator:
    ...     images = translator(sketches)  # uint8 [n, h, w, 1] -> uint8 [n, h, w, 3]
    """

    manifest: TranslateManifest

    @classmethod
    def manifest_of(cls, model: ModelFile) -> TranslateManifest:
        """The manifest of a translator. Raises ModelError where `model` is none, or contradicts its manifest."""
        manifest = check_task(model, read_manifest(model), TranslateManifest)
        check_signature(model, manifest)
        return manifest

    @property
    def window(self) -> int | None:
        """The side of its tiles if none is asked for; None if it takes images of one size."""
        return usual_window(self.manifest.network) if self.manifest.network else None

    def __call__(self, images: NDArray[np.uint8], tile: int | None = None) -> NDArray[np.uint8]:
        """Translate images of one size.

        The bytes of an image do not depend on the others, on the batch or on the threads.

        Args:
            images: uint8 [n, h, w, c], n, h and w at least 1.
            tile: as for `translate`.

        Returns:
            uint8 [n, h, w, c'].

        Raises:
            InputError: they are no such images, or of another size than the file takes; or it is closed.
            DeviceError: the device fails.
        """
        n, height, width = self._checked(images).shape[:3]
        if max(height, width) > self._window(tile, max(height, width)):
            return np.stack([self.translate(image, tile) for image in images])
        piece = max(1, min(-(-n // self.threads), PIECE // (height * width)))
        pieces = [images[first : first + piece] for first in range(0, n, piece)]
        return np.concatenate(list(self._mapped(self._run, pieces)))

    def translate(self, picture: Pixels, tile: int | None = None, done: Done | None = None) -> Pixels:
        """Translate one picture of any size, a large one in tiles, which limit the memory.

        Tiles give the bytes of the whole picture on a CPU, and differ by at most one grey level on other devices, if
        `manifest.network.context` is finite. Otherwise they are blended, and differ as `tile_psnr` there says.

        Args:
            picture: uint8 [h, w, c].
            tile: the largest side of a tile in pixels; `window` if None, 0 for the whole picture at once.
            done: called after each tile with the number of tiles that are done, and of all tiles.

        Returns:
            uint8 [h, w, c'].

        Raises:
            InputError, DeviceError: as for a call; also if `tile` is too small.
        """
        self._checked(picture[None])
        window = self._window(tile, max(picture.shape[:2]))
        tiling = self.manifest.network or Tiling()
        return run_in_tiles(picture, self._run_one, window, tiling, mapped=self._mapped, done=done)

    def _window(self, tile: int | None, side: int) -> int:
        """The side of tiles for images whose longer side is `side`; `side` or more for the whole images."""
        usual = self.window
        if tile and usual is None:
            raise InputError(f"tile {tile}: {self.model.path} takes images of one size, which need no tiles")
        if tile is not None and tile < 0:
            raise InputError(f"tile {tile}: must be a number of pixels, or 0 for the whole picture at once")
        return side + usual_window(Tiling()) if usual is None or tile == 0 else tile or usual

    def _checked(self, images: NDArray[np.uint8]) -> NDArray[np.uint8]:
        if not isinstance(images, np.ndarray) or images.dtype != np.uint8 or images.ndim != 4 or not images.size:
            raise InputError(f"images {_kind(images)}: {self.model.path} takes uint8 [n, h, w, c] without empty axes")
        size = ImageSize(*images.shape[1:])
        if not self.manifest.source.takes(size):
            raise InputError(f"images: {size}; {self.model.path} takes {self.manifest.source}")
        return images

    def _mapped(self, run: Run, inputs: Iterable[Pixels]) -> Iterator[Pixels]:
        """As `map`, so many inputs at a time as there are threads. A GPU computes one at a time."""
        if self.session.device != "cpu":
            yield from map(run, inputs)
            return
        waiting = iter(inputs)
        while part := list(islice(waiting, self.threads)):
            yield from self.workers.map(run, part) if len(part) > 1 else map(run, part)

    def _run_one(self, picture: Pixels) -> Pixels:
        image: Pixels = self._run(picture[None])[0]
        return image

    def _run(self, images: NDArray[np.uint8]) -> NDArray[np.uint8]:
        found: NDArray[np.uint8] = self.run([IMAGES], {SOURCE: np.ascontiguousarray(images)}, len(images))[0]
        expected = (*images.shape[:3], self.manifest.output.channels)
        if found.shape != expected:
            raise ModelError(
                f"{self.model.path}: gives {list(found.shape)} where {list(expected)} was declared; export it again"
            )
        return found


def _kind(images: object) -> str:
    return f"{images.dtype} {list(images.shape)}" if isinstance(images, np.ndarray) else type(images).__name__
