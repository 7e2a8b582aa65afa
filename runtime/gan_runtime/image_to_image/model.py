"""What translators and upscalers have in common: uint8 images in, uint8 images out, large ones in tiles."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from gan_runtime.errors import InputError, ModelError
from gan_runtime.image_to_image.pillow import is_pillow, run_on_pillow
from gan_runtime.manifest import ImageSize, ImageToImageManifest, Tiling
from gan_runtime.model_file import ModelFile, read_model_file
from gan_runtime.onnx_model import OnnxModel
from gan_runtime.onnx_runtime import Providers
from gan_runtime.tiling import (
    WINDOW,
    Done,
    Mapped,
    Pixels,
    Run,
    bands_in_tiles,
    least_window,
    run_in_tiles,
    usual_window,
)

if TYPE_CHECKING:
    from PIL.Image import Image

SOURCE, IMAGES = "source", "images"
PIECE = 2**18  # pixels per run of a batch of small images, of the larger of input and output
MATRIX_PRODUCTS, TRANSPOSED = frozenset({"Gemm", "MatMul"}), "ConvTranspose"

Picture = TypeVar("Picture", bound="NDArray[np.uint8] | Image")
"""An array, or an image of Pillow."""


@dataclass(frozen=True, eq=False, repr=False)
class ImageToImage(OnnxModel):
    """A file that gives images for images, open on a device. Base class of Translator and Upscaler."""

    KEEPS_GREY: ClassVar[bool] = False
    """Whether the output for a grey picture is grey, too, if the file gives colour."""

    manifest: ImageToImageManifest

    @classmethod
    def load(
        cls,
        path: str | Path,
        device: str = "auto",
        threads: int | None = None,
        *,
        providers: Providers | None = None,
        many: bool = False,
    ) -> Self:
        """As the base class. The threads share each picture, or tile of one; if `many`, each has a picture of its own.

        That is faster for many small pictures, and slower for one. It is always so with networks to which threads that
        share a picture would give other last bits than one.
        """
        return cls.open(read_model_file(path), device, threads, providers=providers, many=many)

    @classmethod
    def open(
        cls,
        model: ModelFile,
        device: str = "auto",
        threads: int | None = None,
        *,
        providers: Providers | None = None,
        many: bool = False,
    ) -> Self:
        """As `load`, for a file that has been read already."""
        manifest = cls.manifest_of(model)
        together = not many and _same_for_all_threads(model, manifest.network)
        opened = cls(*cls.opened(model, manifest, device, threads, providers, together=together))
        return replace(opened, arguments={**opened.arguments, "many": many})

    @classmethod
    def manifest_of(cls, model: ModelFile) -> ImageToImageManifest:
        """As of the base class."""
        raise NotImplementedError

    @property
    def place(self) -> dict[str, Any]:
        """As of the base class."""
        return {**super().place, "many": self.arguments["many"]}

    def with_threads(self, threads: int) -> Self:
        """As of the base class, opened again: a session belongs to the threads that share a picture in it."""
        return self.load(self.model.path, **{**self.place, "threads": threads})

    @property
    def runs(self) -> int:
        """How many runs there are at a time."""
        return self.workers.threads if self.on_cpu else 1

    @property
    def scale(self) -> int:
        """How many times as high and wide its outputs are."""
        return 1

    @property
    def window(self) -> int | None:
        """The side of its tiles in pixels of the input if none is asked for; None if it takes images of one size."""
        side = WINDOW if self.scale == 1 else WINDOW // 2  # an upscaler's last layers are larger than its input
        tiling = self.tiling(None)
        return usual_window(tiling, side) if tiling else None

    def tiling(self, tile: int | None) -> Tiling | None:
        """How a picture is run in tiles of this side, None and 0 as for `run_picture`; None if it takes one size."""
        return self.manifest.network

    def __call__(self, images: Picture, tile: int | None = None) -> Picture:
        """Run images of one size.

        The bytes of an image do not depend on the others, on the batch or on the threads.

        Args:
            images: uint8 [n, h, w, c], n, h and w at least 1; or one picture of Pillow, as for `run_picture`.
            tile: as for `run_picture`.

        Returns:
            uint8 [n, scale h, scale w, c'], or a picture of Pillow.

        Raises:
            InputError: they are no such images, or of another size than the file takes; or it is closed.
            DeviceError: the device fails.
        """
        if is_pillow(images):
            return self.run_picture(images, tile)
        return cast(Picture, self._run_images(self._checked(images), tile))

    def run_picture(self, picture: Picture, tile: int | None = None, done: Done | None = None) -> Picture:
        """Run one picture of any size, a large one in tiles, which limit the memory.

        Tiles give the bytes of the whole picture on a CPU, and differ by at most one grey level on other devices, if
        `tiling(tile).context` is that of `manifest.network`. If that is None, they are blended, and differ as
        `manifest.network.tile_psnr` says.

        Args:
            picture: uint8 [h, w, c]; or an image of Pillow, which is turned upright and converted to sRGB. Its alpha
                is kept, and enlarged by bicubic interpolation.
            tile: the largest side of a tile in pixels of the input; `window` if None, 0 for the whole picture at once.
            done: called after each tile with the number of tiles that are done, and of all tiles.

        Returns:
            uint8 [scale h, scale w, c'], or an image of Pillow in mode L, LA, RGB or RGBA.

        Raises:
            InputError, DeviceError: as for a call; also if `tile` is too small.
        """
        if is_pillow(picture):
            run = lambda pixels: self.run_picture(pixels, tile, done)  # noqa: E731
            return cast(Picture, run_on_pillow(self, self.manifest, picture, run, keep_grey=self.KEEPS_GREY))
        return cast(Picture, run_in_tiles(*self._in_tiles(picture, tile), done))

    def bands(self, picture: Pixels, tile: int | None = None, done: Done | None = None) -> Iterator[Pixels]:
        """As `run_picture` for an array, in bands of rows as they come: the result need not be in memory as a whole.

        Yields:
            uint8 [rows, scale w, c'], from the top, with scale h rows together.
        """
        yield from bands_in_tiles(*self._in_tiles(picture, tile), done)

    def _in_tiles(self, picture: Any, tile: int | None) -> tuple[Pixels, Run, int, Tiling, int, Mapped]:
        """The arguments of `run_in_tiles` and `bands_in_tiles`."""
        pixels = self._checked(picture[None] if isinstance(picture, np.ndarray) else picture)[0]
        window, tiling = self._window(tile, max(pixels.shape[:2])), self.tiling(tile) or Tiling()
        return pixels, self._run_one, window, tiling, self.scale, self._mapped

    def _run_images(self, images: NDArray[np.uint8], tile: int | None) -> NDArray[np.uint8]:
        n, height, width = images.shape[:3]
        if max(height, width) > self._window(tile, max(height, width)):
            return np.stack([self.run_picture(image, tile) for image in images])
        share = -(-n // self.runs)
        piece = max(1, min(share, PIECE // (height * width * self.scale**2)))
        pieces = [images[first : first + piece] for first in range(0, n, piece)]
        return np.concatenate(list(self._mapped(lambda part: self._run(part, piece), pieces)))

    def _window(self, tile: int | None, side: int) -> int:
        """The side of tiles for images whose longer side is `side`; as large as they are for the whole images."""
        usual, network = self.window, self.tiling(tile) or Tiling()
        if tile and usual is None:
            raise InputError(f"tile {tile}: {self.model.path} takes images of one size, which need no tiles")
        if tile is not None and tile < 0:
            raise InputError(f"tile {tile}: must be a number of pixels, or 0 for the whole picture at once")
        return max(side, least_window(network)) if usual is None or tile == 0 else tile or usual

    def _checked(self, images: Any) -> NDArray[np.uint8]:
        if not isinstance(images, np.ndarray) or images.dtype != np.uint8 or images.ndim != 4 or not images.size:
            raise InputError(f"images {_kind(images)}: {self.model.path} takes uint8 [n, h, w, c] without empty axes")
        size = ImageSize(*images.shape[1:])
        if not self.manifest.source.takes(size):
            raise InputError(f"images: {size}; {self.model.path} takes {self.manifest.source}")
        return images

    def _mapped(self, run: Run, inputs: Iterable[Pixels]) -> Iterator[Pixels]:
        """As `map`, so many inputs at a time as there are runs."""
        waiting = iter(inputs)
        while part := list(islice(waiting, self.runs)):
            yield from self.workers.map(run, part) if len(part) > 1 else map(run, part)

    def _run_one(self, picture: Pixels) -> Pixels:
        image: Pixels = self._run(picture[None])[0]
        return image

    def _run(self, images: NDArray[np.uint8], chunk: int = 0) -> NDArray[np.uint8]:
        found: NDArray[np.uint8] = self.run([IMAGES], {SOURCE: np.ascontiguousarray(images)}, len(images), chunk)[0]
        n, height, width, _ = images.shape
        expected = (n, self.scale * height, self.scale * width, self.manifest.output.channels)
        if found.shape != expected:
            raise ModelError(
                f"{self.model.path}: gives {list(found.shape)} where {list(expected)} was declared; export it again"
            )
        return found


def _same_for_all_threads(model: ModelFile, network: Tiling | None) -> bool:
    """Whether the bits of a picture do not depend on how many threads share it.

    How ONNX Runtime divides the sums of a matrix product among threads depends on their number. It computes a
    transposed convolution as one, which gan-export makes short enough to be one sum each, except for a single pixel.
    """
    deepest = network.least // network.multiple if network else 1  # pixels of the smallest picture, at its smallest
    return model.operators.isdisjoint(MATRIX_PRODUCTS) and (TRANSPOSED not in model.operators or deepest > 1)


def _kind(images: object) -> str:
    return f"{images.dtype} {list(images.shape)}" if isinstance(images, np.ndarray) else type(images).__name__
