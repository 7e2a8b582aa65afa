"""Pictures: grids of images, and PNG files written whole or not at all."""

import math
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from gan_runtime.errors import InputError
from gan_runtime.files import atomic_write

MAX_GRID_PIXELS = 100_000_000  # more, and readers take the picture for a decompression bomb


def default_columns(n: int) -> int:
    """Columns of a grid of n images that is about square, and wide rather than tall."""
    return math.isqrt(n - 1) + 1


def check_grid(shape: tuple[int, int, int, int], columns: int | None) -> None:
    """Raise InputError where a grid of images of `shape` [n, h, w, c] would be too large to be opened again."""
    n, height, width, _ = shape
    columns = min(n, columns or default_columns(n))
    rows = -(-n // columns)
    if rows * height * columns * width > MAX_GRID_PIXELS:
        raise InputError(
            f"n {n}: a grid of {columns * width} x {rows * height} pixels is too large; write .npy or .npz"
        )


def grid(images: NDArray[np.uint8], columns: int | None = None) -> NDArray[np.uint8]:
    """All images in one picture, row by row, empty cells black.

    Args:
        images: uint8 [n, h, w, c].
        columns: as many as make the picture about square if None.

    Returns:
        uint8 [rows * h, columns * w, c].
    """
    n, height, width, channels = images.shape
    columns = min(n, columns or default_columns(n))
    rows = -(-n // columns)
    cells = np.zeros((rows * columns, height, width, channels), np.uint8)
    cells[:n] = images
    return cells.reshape(rows, columns, height, width, channels).swapaxes(1, 2).reshape(rows * height, -1, channels)


def write_png(file: BinaryIO, picture: NDArray[np.uint8]) -> None:
    """Write uint8 [h, w, c], grey or RGB, as PNG."""
    from PIL import Image  # noqa: PLC0415  (arrays need no pillow)

    Image.fromarray(picture[:, :, 0] if picture.shape[2] == 1 else picture).save(file, "png")


def save_png(path: Path, picture: NDArray[np.uint8]) -> None:
    """As `write_png`, to a file. Raises OutputError where it cannot be written."""
    with atomic_write(path) as file:
        write_png(file, picture)
