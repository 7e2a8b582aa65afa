"""Arrange images in grids, and write PNG files atomically."""

import math
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np
from numpy.typing import NDArray

from gan_runtime.errors import InputError
from gan_runtime.files import atomic_write
from gan_runtime.images import png_writing
from gan_runtime.images.bands import banded
from gan_runtime.records import record

if TYPE_CHECKING:
    from PIL import Image

MAX_PIXELS = 200_000_000  # of a grid, and the default limit of pictures that are read
PADDING_GREY = 127  # visible on black and on white


@record(frozen=True)
class Layout:
    """The layout of a grid."""

    rows: int | None = None
    """None: as many as the images need. Unused cells are black."""
    columns: int | None = None
    """None: as many as `rows` needs, or a number that makes the grid about square."""
    padding: int = 0
    """Pixels between cells."""
    scale: int = 1
    """Each pixel becomes scale x scale pixels."""

    def cells(self, n: int) -> tuple[int, int]:
        """Rows and columns for n images. Raises InputError where they do not fit."""
        if self.rows and self.columns:
            if n > self.rows * self.columns:
                raise InputError(f"n {n}: does not fit into {self.rows} rows of {self.columns}; ask for more rows")
            return self.rows, self.columns
        if self.rows:
            return self.rows, -(-n // self.rows)
        columns = self.columns or default_columns(n)
        return -(-n // columns), columns

    def size(self, shape: tuple[int, ...]) -> tuple[int, int]:
        """Height and width of a grid of images with `shape` [n, h, w, c]. Raises InputError as `cells`."""
        rows, columns = self.cells(shape[0])
        height, width = (side * self.scale + self.padding for side in shape[1:3])
        return rows * height - self.padding, columns * width - self.padding


def default_columns(n: int) -> int:
    """The number of columns for a grid of n images that is about square and at least as wide as tall."""
    return math.isqrt(n - 1) + 1


def check_grid(shape: tuple[int, ...], layout: Layout) -> None:
    """Raise InputError if a grid of images with `shape` [n, h, w, c] would exceed `MAX_PIXELS`."""
    height, width = layout.size(shape)
    if height * width > MAX_PIXELS:
        raise InputError(
            f"n {shape[0]}: a grid of {width} x {height} pixels is too large; "
            "write .npy, .npz, .tar or a folder, or ask for a smaller grid"
        )


def grid(images: NDArray[np.uint8], columns: int | None = None) -> NDArray[np.uint8]:
    """A grid without gaps: `arrange` with the given number of columns; None: about square."""
    return arrange(images, Layout(columns=columns))


def arrange(images: NDArray[np.uint8], layout: Layout) -> NDArray[np.uint8]:
    """Arrange images in a grid, row by row. Empty cells are black, gaps are grey.

    Args:
        images: uint8 [n, h, w, c].
        layout: rows, columns, padding and scale.

    Returns:
        uint8 [*layout.size(images.shape), c].

    Raises:
        InputError: there are more images than cells.
    """
    n, height, width, channels = images.shape
    (rows, columns), scale = layout.cells(n), layout.scale
    cells = np.zeros((rows * columns, height, width, channels), np.uint8)
    cells[:n] = images
    cells = cells.repeat(scale, axis=1).repeat(scale, axis=2)
    height, width, gap = height * scale, width * scale, layout.padding
    picture = np.full((rows, height + gap, columns, width + gap, channels), PADDING_GREY, np.uint8)
    picture[:, :height, :, :width] = cells.reshape(rows, columns, height, width, channels).swapaxes(1, 2)
    whole = picture.reshape(rows * (height + gap), columns * (width + gap), channels)
    return np.ascontiguousarray(whole[: len(whole) - gap, : whole.shape[1] - gap])


def to_pillow(picture: NDArray[np.uint8]) -> "Image.Image":
    """Convert uint8 [h, w, c], grey or RGB, to a Pillow image."""
    from PIL import Image  # noqa: PLC0415  (arrays need no pillow)

    return Image.fromarray(picture[:, :, 0] if picture.shape[2] == 1 else picture)


def write_png(file: BinaryIO, picture: NDArray[np.uint8]) -> None:
    """Write uint8 [h, w, c], grey or RGB, as PNG."""
    png_writing.write_png(file, banded(picture), level=png_writing.SMALL_LEVEL)


def save_png(path: Path, picture: NDArray[np.uint8]) -> None:
    """As `write_png`, to a path. Raises OutputError if it cannot be written."""
    with atomic_write(path) as file:
        write_png(file, picture)
