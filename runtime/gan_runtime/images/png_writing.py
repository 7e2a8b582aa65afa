"""Write PNG files: pictures in bands of rows, and many small images (PNG specification, third edition)."""

import struct
import zlib
from collections.abc import Iterable, Iterator
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from gan_runtime.images.bands import Banded

PNG = b"\x89PNG\r\n\x1a\n"
COLOUR_TYPES = {1: 0, 2: 4, 3: 2, 4: 6}  # by the number of channels
MOST_SIDE = 2**31 - 1  # pixels
LEVEL = 1  # of deflate: takes half the time of the usual one for large pictures, whose files grow by a tenth
SMALL_LEVEL = 6  # deflate's usual one, for a picture that people look at
LARGE = 2**20  # bytes of a picture from which on zlib-ng saves more time than its import takes
PIECE = 2**18  # bytes that are filtered and compressed at a time
UNFILTERED = 32 * 32 * 3  # values: filters make the files of smaller images no smaller, and take a third of the time


def write_png(file: BinaryIO, picture: Banded, exif: bytes = b"", level: int = LEVEL) -> None:
    """Write a PNG of 8 bits per channel to `file` as the bands of `picture` come.

    Args:
        file: is written from its position on.
        picture: of at most `MOST_SIDE` pixels per side.
        exif: metadata, in the format of TIFF; empty for none.
        level: of compression, 0 (fast) to 9 (small).
    """
    file.write(_head(picture.height, picture.width, picture.channels))
    if exif:
        file.write(_chunk(b"eXIf", exif))
    packer = _packer(level, picture.height * (1 + picture.bytes_per_row))
    above = np.zeros(picture.bytes_per_row, np.uint8)
    for strip in picture.strips(max(1, PIECE // picture.bytes_per_row)):
        rows = strip.reshape(len(strip), -1)
        if data := packer.compress(_filtered(rows, above, picture.channels).data):
            file.write(_chunk(b"IDAT", data))
        above = rows[-1]
    file.write(_chunk(b"IDAT", packer.flush()) + _chunk(b"IEND", b""))


def png_files(images: NDArray[np.uint8], level: int = LEVEL) -> Iterator[bytes]:
    """The PNG files of images uint8 [n, h, w, c], one after the other. `level` is that of `write_png`."""
    _, height, width, channels = images.shape
    from gan_runtime.images.deflate import compressor_for  # noqa: PLC0415  (one small picture does without)

    head, kind, end = _head(height, width, channels), b"IDAT", _chunk(b"IEND", b"")
    library, level = compressor_for(level, height * (1 + width * channels))
    compress, crc32, begun = library.compress, library.crc32, zlib.crc32(kind)
    for rows in _rows_of(images):
        data = compress(rows.data, level)
        yield b"".join((head, len(data).to_bytes(4), kind, data, crc32(data, begun).to_bytes(4), end))


def _packer(level: int, size: int) -> Any:
    """What compresses a picture of so many bytes, piece by piece."""
    if size < LARGE:
        return zlib.compressobj(level)
    from gan_runtime.images.deflate import compressor_for  # noqa: PLC0415

    library, level = compressor_for(level, size)
    return library.compressobj(level)


def _rows_of(images: NDArray[np.uint8]) -> Iterable[NDArray[np.uint8]]:
    """The rows of each image, with the numbers of their filters before them."""
    n, height, width, channels = images.shape
    rows = images.reshape(n, height, width * channels)
    if rows[0].size >= UNFILTERED:
        return (_filtered(each, np.zeros_like(each[0]), channels) for each in rows)
    plain = np.zeros((n, height, 1 + rows.shape[2]), np.uint8)
    plain[:, :, 1:] = rows
    return plain


def _head(height: int, width: int, channels: int) -> bytes:
    return PNG + _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, COLOUR_TYPES[channels], 0, 0, 0))


def _filtered(rows: NDArray[np.uint8], above: NDArray[np.uint8], pixel: int) -> NDArray[np.uint8]:
    """Rows uint8 [n, bytes], each with the number of a filter before it; a pixel has `pixel` bytes.

    Of the filters none, sub, up and average, each row gets the one with the least sum of absolute values, the heuristic
    of the specification (section 12.7).
    """
    up = np.concatenate([above[None], rows[:-1]])
    left = np.zeros_like(rows)
    left[:, pixel:] = rows[:, :-pixel]
    mean = (left & up) + ((left ^ up) >> 1)  # rounded down, without a wider type
    filtered = (rows, rows - left, rows - up, rows - mean)
    sums = [np.abs(each.view(np.int8)).view(np.uint8).sum(1, dtype=np.int64) for each in filtered]
    best = np.argmin(sums, axis=0)
    found = np.empty((len(rows), 1 + rows.shape[1]), np.uint8)
    found[:, 0] = best
    for number, each in enumerate(filtered):
        found[best == number, 1:] = each[best == number]
    return found


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(data, zlib.crc32(kind)))
