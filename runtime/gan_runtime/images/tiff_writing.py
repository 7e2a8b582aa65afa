"""Write a TIFF in strips of rows (TIFF 6.0, Technical Note 2 for deflate; BigTIFF where offsets need it)."""

import struct
import zlib
from typing import BinaryIO

from gan_runtime.images.bands import Band, Banded
from gan_runtime.images.png_writing import LEVEL

MOST_SIDE = 2**32 - 1  # pixels
MOST_BYTES = 2**32 - 2**26  # of pixels in a TIFF, whose offsets have 32 bits; the rest is for what else is in it
PIECE = 2**20  # bytes of pixels in a strip
SHORT, LONG, RATIONAL, LONG8 = 3, 4, 5, 16  # types of values
FORMATS = {SHORT: "H", LONG: "I", RATIONAL: "I", LONG8: "Q"}
Tags = dict[int, tuple[int, list[int]]]  # type and numbers, of which a RATIONAL has two
BLACK_IS_ZERO, RGB, DEFLATE, HORIZONTAL, UNASSOCIATED, INCH = 1, 2, 8, 2, 2, 2
DPI = 72  # a TIFF must have a resolution


def write_tiff(file: BinaryIO, picture: Banded) -> None:
    """Write a TIFF of 8 bits per channel to the beginning of `file` as the bands of `picture` come.

    Args:
        file: is empty and can be sought.
        picture: of at most `MOST_SIDE` pixels per side. A BigTIFF is written if it has more than `MOST_BYTES` bytes.
    """
    big = picture.height * picture.bytes_per_row > MOST_BYTES
    offset = struct.Struct("<Q" if big else "<I")
    header = b"II+\0\x08\0\0\0" if big else b"II*\0"
    file.write(header + offset.pack(0))
    rows = max(1, PIECE // picture.bytes_per_row)
    offsets, sizes = [], []
    for strip in picture.strips(rows):
        data = zlib.compress(_differences(strip).data, LEVEL)
        offsets.append(file.tell())
        sizes.append(len(data))
        file.write(data + bytes(len(data) % 2))
    place = file.tell()
    file.write(_directory(_tags(picture, rows, offsets, sizes, big), place, offset, "<Q" if big else "<H"))
    file.seek(len(header))
    file.write(offset.pack(place))


def _differences(strip: Band) -> Band:
    """Each pixel less the one to its left."""
    found = strip.copy()
    found[:, 1:] -= strip[:, :-1]
    return found


def _tags(picture: Banded, rows: int, offsets: list[int], sizes: list[int], big: bool) -> Tags:
    places = LONG8 if big else LONG
    tags: Tags = {
        256: (LONG, [picture.width]),
        257: (LONG, [picture.height]),
        258: (SHORT, [8] * picture.channels),
        259: (SHORT, [DEFLATE]),
        262: (SHORT, [RGB if picture.channels > 2 else BLACK_IS_ZERO]),
        273: (places, offsets),
        277: (SHORT, [picture.channels]),
        278: (LONG, [rows]),
        279: (places, sizes),
        282: (RATIONAL, [DPI, 1]),
        283: (RATIONAL, [DPI, 1]),
        296: (SHORT, [INCH]),
        317: (SHORT, [HORIZONTAL]),
    }
    return tags | ({338: (SHORT, [UNASSOCIATED])} if picture.channels in (2, 4) else {})


def _directory(tags: Tags, place: int, offset: struct.Struct, count: str) -> bytes:
    """The directory of `tags`, to be written at `place`, with the values behind it that do not fit into it."""
    entries, values = [], b""
    behind = place + struct.calcsize(count) + len(tags) * (4 + 2 * offset.size) + offset.size
    for tag, (kind, numbers) in tags.items():
        number = struct.Struct(f"<{len(numbers)}{FORMATS[kind]}")
        value = number.pack(*numbers)
        held = value.ljust(offset.size, b"\0") if number.size <= offset.size else offset.pack(behind + len(values))
        values += b"" if number.size <= offset.size else value + bytes(number.size % 2)
        amount = len(numbers) // (2 if kind == RATIONAL else 1)
        entries.append(struct.pack("<HH", tag, kind) + offset.pack(amount) + held)
    return struct.pack(count, len(tags)) + b"".join(entries) + offset.pack(0) + values
