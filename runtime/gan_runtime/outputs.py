"""Where sampled images go: one grid as PNG, or arrays as NPY and NPZ."""

import io
import math
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from gan_runtime.draw import Draw
from gan_runtime.errors import OutputError
from gan_runtime.files import atomic_write, check_space, check_writable
from gan_runtime.images import check_grid, grid, write_png

STDOUT = "-"
LATENTS_AT_ONCE = 4096


def check_output(output: str) -> None:
    """Refuse an output of unknown kind or in an unusable place before any image is made for it.

    Raises:
        OutputError: naming the output and the way out.
    """
    if output == STDOUT:
        if sys.stdout is None:
            raise OutputError("-: stdout is closed; name a file")
        if sys.stdout.isatty():
            raise OutputError("-: stdout is a terminal; send the PNG to a file or a program")
        return
    path = Path(output)
    if path.suffix.lower() not in WRITERS:
        raise OutputError(f"{output}: unknown kind of output; end it in {', '.join(WRITERS)}, or - for a PNG on stdout")
    check_writable(path)


def write_output(output: str, draw: Draw, columns: int | None = None) -> None:
    """Make the images of `draw` and write them to `output`: a path with a known suffix, or "-" for a PNG on stdout.

    Raises:
        OutputError: the place is not usable or the disk is full; nothing half-written remains.
        InputError: a grid would be too large.
    """
    if output == STDOUT:
        content = io.BytesIO()
        write_grid(content, draw, columns)
        sys.stdout.buffer.write(content.getbuffer())
        sys.stdout.buffer.flush()
        return
    path = Path(output)
    if path.suffix.lower() == ".npy":  # the one kind whose size is known beforehand
        check_space(path, math.prod(draw.shape))
    with atomic_write(path) as file:
        WRITERS[path.suffix.lower()](file, draw, columns)


def write_grid(file: BinaryIO, draw: Draw, columns: int | None = None) -> None:
    """All images in one picture, row by row; as many columns as make it about square unless given."""
    check_grid(draw.shape, columns)
    write_png(file, grid(np.concatenate(list(draw.batches())), columns))


def write_npy(file: BinaryIO, draw: Draw, columns: int | None = None) -> None:
    """One array, uint8 [n, height, width, channels]."""
    _write_array(file, draw.shape, np.uint8, draw.batches())


def write_npz(file: BinaryIO, draw: Draw, columns: int | None = None) -> None:
    """The arrays `images`, `latents` float32 [n, d] and, from a conditional generator, `labels` int64 [n]."""

    def pieces(part: Callable[[int, int], Any]) -> Iterator[NDArray[Any]]:
        for first in range(0, draw.n, LATENTS_AT_ONCE):
            yield part(first, min(LATENTS_AT_ONCE, draw.n - first))

    import zipfile  # noqa: PLC0415  (only .npz pays for its import)

    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:

        def add(name: str, shape: tuple[int, ...], dtype: Any, parts: Iterator[NDArray[Any]]) -> None:
            entry = zipfile.ZipInfo(f"{name}.npy")  # no time of day: the same request gives the same file
            entry.compress_type = zipfile.ZIP_DEFLATED
            with archive.open(entry, "w", force_zip64=True) as member:
                _write_array(member, shape, dtype, parts)

        add("images", draw.shape, np.uint8, draw.batches())
        add("latents", (draw.n, draw.generator.latent_dim), np.float32, pieces(draw.latents))
        if draw.generator.classes:
            add("labels", (draw.n,), np.int64, pieces(draw.labels))


WRITERS: dict[str, Callable[[BinaryIO, Draw, int | None], None]] = {
    ".png": write_grid,
    ".npy": write_npy,
    ".npz": write_npz,
}


def _write_array(file: Any, shape: tuple[int, ...], dtype: Any, parts: Iterator[NDArray[Any]]) -> None:
    """NPY, part by part: memory stays at one part however long the array."""
    header = {"descr": np.lib.format.dtype_to_descr(np.dtype(dtype)), "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(file, header)
    for part in parts:
        file.write(np.ascontiguousarray(part).data)
