"""Verify that existing files of a job are complete, before they are kept."""

import struct
import zlib
from functools import cache
from typing import BinaryIO

from gan_runtime.images.png_writing import COLOUR_TYPES, PNG

BLOCK, RECORD_SIZE, NAME = 512, 10240, 100  # bytes of POSIX.1-1988 (ustar)


def is_png(content: bytes, shape: tuple[int, ...]) -> bool:
    """Whether `content` is a complete PNG with 8 bits per channel and shape [h, w, c], and nothing else.

    The header, the CRCs of all chunks, and IEND at the end are checked (PNG, third edition, section 5). Truncated,
    zeroed and exchanged files fail. Nothing is decompressed.
    """
    height, width, channels = shape
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, COLOUR_TYPES[channels], 0, 0, 0)
    if not content.startswith(PNG + struct.pack(">I", 13) + header):
        return False
    at = len(PNG)
    while at + 12 <= len(content):
        end = at + 12 + int.from_bytes(content[at : at + 4])
        if end > len(content) or zlib.crc32(content[at + 4 : end - 4]) != int.from_bytes(content[end - 4 : end]):
            return False
        if content[at + 4 : at + 8] == b"IEND":
            return end == len(content)
        at = end
    return False


def tar_header(name: str, size: int) -> bytes:
    """The header of a member, without owner and time: as of `tarfile.TarInfo`, in a tenth of its time.

    (TarFile would keep all headers in memory.)
    """
    owner, time, rest, checksum = _fixed_fields()
    name_field, size_field = name.encode(errors="surrogateescape"), b"%011o\0" % size
    checksum += sum(name_field) + sum(size_field)
    return name_field.ljust(NAME, b"\0") + owner + size_field + time + b"%06o\0 " % checksum + rest


@cache
def _fixed_fields() -> tuple[bytes, bytes, bytes, int]:
    """What stands between name and size, between size and checksum, after it, and the sum of it all."""
    import tarfile  # noqa: PLC0415

    empty = tarfile.TarInfo().tobuf(tarfile.USTAR_FORMAT)
    owner, time, rest = empty[NAME:124], empty[136:148], empty[156:]
    return owner, time, rest, sum(owner + time + b" " * 8 + rest)  # a checksum counts as spaces in itself


def next_member(file: BinaryIO, name: str) -> bytes | None:
    """The content of the next member of a tar; None if it is another member or truncated."""
    header = file.read(BLOCK)
    try:
        size = int(header[124:135], 8)
    except ValueError:
        return None
    if header != tar_header(name, size):
        return None
    content = file.read(size + -size % BLOCK)
    return content[:size] if len(content) == size + -size % BLOCK else None


def tar_end(position: int) -> bytes:
    """The end of a tar whose members end at `position`: two empty blocks, and padding to a full record."""
    return bytes(2 * BLOCK + -(position + 2 * BLOCK) % RECORD_SIZE)
