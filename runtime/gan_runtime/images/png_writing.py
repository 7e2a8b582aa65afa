"""Write a PNG in bands of rows (PNG specification, third edition)."""

import struct
import zlib
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from gan_runtime.images.bands import Banded
from gan_runtime.images.opening import PNG

COLOUR_TYPES = {1: 0, 2: 4, 3: 2, 4: 6}  # by the number of channels
MOST_SIDE = 2**31 - 1  # pixels
LEVEL = 1  # of deflate: takes half the time of the usual one for large pictures, whose files grow by a tenth
PIECE = 2**18  # bytes that are filtered and compressed at a time


def write_png(file: BinaryIO, picture: Banded, exif: bytes = b"") -> None:
    """Write a PNG of 8 bits per channel to `file` as the bands of `picture` come.

    Args:
        file: is written from its position on.
        picture: of at most `MOST_SIDE` pixels per side.
        exif: metadata, in the format of TIFF; empty for none.
    """
    head = struct.pack(">IIBBBBB", picture.width, picture.height, 8, COLOUR_TYPES[picture.channels], 0, 0, 0)
    file.write(PNG + _chunk(b"IHDR", head))
    if exif:
        file.write(_chunk(b"eXIf", exif))
    packer = zlib.compressobj(LEVEL)
    above = np.zeros(picture.bytes_per_row, np.uint8)
    for strip in picture.strips(max(1, PIECE // picture.bytes_per_row)):
        rows = strip.reshape(len(strip), -1)
        if data := packer.compress(_filtered(rows, above, picture.channels).data):
            file.write(_chunk(b"IDAT", data))
        above = rows[-1]
    file.write(_chunk(b"IDAT", packer.flush()) + _chunk(b"IEND", b""))


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
