"""Verify that existing files of a job are complete, before they are kept."""

import struct
import zlib
from typing import BinaryIO

BLOCK, RECORD_SIZE = 512, 10240  # POSIX.1-1988 (ustar)
SIGNATURE = b"\x89PNG\r\n\x1a\n"
COLOUR_TYPES = {1: 0, 2: 4, 3: 2, 4: 6}  # by channels


def is_png(content: bytes, shape: tuple[int, ...]) -> bool:
    """Whether `content` is a complete PNG with 8 bits per channel and shape [h, w, c], and nothing else.

    The header, the CRCs of all chunks, and IEND at the end are checked (PNG, third edition, section 5). Truncated,
    zeroed and exchanged files fail. Nothing is decompressed.
    """
    height, width, channels = shape
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, COLOUR_TYPES[channels], 0, 0, 0)
    if not content.startswith(SIGNATURE + struct.pack(">I", 13) + header):
        return False
    at = len(SIGNATURE)
    while at + 12 <= len(content):
        end = at + 12 + int.from_bytes(content[at : at + 4])
        if end > len(content) or zlib.crc32(content[at + 4 : end - 4]) != int.from_bytes(content[end - 4 : end]):
            return False
        if content[at + 4 : at + 8] == b"IEND":
            return end == len(content)
        at = end
    return False


def tar_header(name: str, size: int) -> bytes:
    """The header of a member, without owner and time. (TarFile would keep all headers in memory.)"""
    import tarfile  # noqa: PLC0415

    info = tarfile.TarInfo(name)
    info.size = size
    return info.tobuf(tarfile.USTAR_FORMAT)


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
