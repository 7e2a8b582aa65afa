"""Pictures: grids of images, and PNG files written whole or not at all."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np
from numpy.typing import NDArray

from gan_runtime.errors import InputError
from gan_runtime.files import atomic_write

if TYPE_CHECKING:
    from PIL import Image

MAX_PIXELS = 200_000_000  # of a picture that is read, unless more are asked for, and of one that is written
PADDING_GREY = 127  # shows on black and on white


@dataclass(frozen=True)
class Layout:
    """How images are put into one picture."""

    rows: int | None = None
    """As many as the images need if None; cells that are left over stay black."""
    columns: int | None = None
    """As many as `rows` leave, or make the picture about square, if None."""
    padding: int = 0
    """Pixels between neighbours."""
    scale: int = 1
    """Each pixel becomes scale x scale of them."""

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
        """Height and width of the picture of images of `shape` [n, h, w, c]. Raises InputError as `cells`."""
        rows, columns = self.cells(shape[0])
        height, width = (side * self.scale + self.padding for side in shape[1:3])
        return rows * height - self.padding, columns * width - self.padding


def default_columns(n: int) -> int:
    """Columns of a grid of n images that is about square, and wide rather than tall."""
    return math.isqrt(n - 1) + 1


def check_grid(shape: tuple[int, ...], layout: Layout) -> None:
    """Raise InputError where a grid of images of `shape` [n, h, w, c] would be too large to be opened again."""
    height, width = layout.size(shape)
    if height * width > MAX_PIXELS:
        raise InputError(
            f"n {shape[0]}: a grid of {width} x {height} pixels is too large; "
            "write .npy, .npz, .tar or a folder, or ask for a smaller grid"
        )


def grid(images: NDArray[np.uint8], columns: int | None = None) -> NDArray[np.uint8]:
    """All images in one picture without gaps: `arrange` with so many columns, about square if None."""
    return arrange(images, Layout(columns=columns))


def arrange(images: NDArray[np.uint8], layout: Layout) -> NDArray[np.uint8]:
    """All images in one picture, row by row, empty cells black, grey between the cells.

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
    """uint8 [h, w, c], grey or RGB, as an image of Pillow."""
    from PIL import Image  # noqa: PLC0415  (arrays need no pillow)

    return Image.fromarray(picture[:, :, 0] if picture.shape[2] == 1 else picture)


def write_png(file: BinaryIO, picture: NDArray[np.uint8], compress_level: int = 6) -> None:
    """Write uint8 [h, w, c], grey or RGB, as PNG; `compress_level` from 0, fast, to 9, small."""
    to_pillow(picture).save(file, "png", compress_level=compress_level)


def save_png(path: Path, picture: NDArray[np.uint8]) -> None:
    """As `write_png`, to a file. Raises OutputError where it cannot be written."""
    with atomic_write(path) as file:
        write_png(file, picture)
