"""Write originals above their reconstructions."""

from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from gan_runtime.images.grids import Layout, arrange, check_grid, default_columns, write_png
from gan_runtime.outputs.options import Options
from gan_runtime.outputs.picture import whole
from gan_runtime.outputs.pipeline import batches
from gan_runtime.outputs.source import Source


def reconstruction_layout(shape: tuple[int, ...], options: Options) -> Layout:
    """Columns, padding and scale of the picture of originals [n, h, w, c].

    Raises:
        InputError: it would be too large.
    """
    count = shape[0]
    columns = min(options.columns or default_columns(2 * count), count)
    rows = 2 * -(-count // columns)
    layout = Layout(columns=columns, padding=options.padding, scale=options.scale)
    check_grid((rows * columns, *shape[1:]), layout)
    return layout


def write_reconstructions(file: BinaryIO, originals: NDArray[np.uint8], source: Source, options: Options) -> None:
    """One PNG: a row of originals, below it the row of their reconstructions, and so on.

    Args:
        file: the PNG is written to it.
        originals: uint8 [n, h, w, c].
        source: the reconstructions, in the same order.
        options: columns, padding and scale.

    Raises:
        InputError: the picture would be too large.
    """
    layout = reconstruction_layout(originals.shape, options)
    assert layout.columns
    with batches(source, quiet=options.quiet) as images:
        pairs = in_pairs(originals, whole(source, images), layout.columns)
    write_png(file, arrange(pairs, layout))


def in_pairs(above: NDArray[np.uint8], below: NDArray[np.uint8], columns: int) -> NDArray[np.uint8]:
    """Alternating rows of `above` and `below`, uint8 [rows * 2 * columns, h, w, c]; unused cells are black."""
    missing = -len(above) % columns
    rows = [
        np.concatenate([part, np.zeros((missing, *part.shape[1:]), np.uint8)]).reshape(-1, columns, *part.shape[1:])
        for part in (above, below)
    ]
    return np.stack(rows, 1).reshape(-1, *above.shape[1:])
