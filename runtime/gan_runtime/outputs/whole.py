"""Verify that existing PNG files of a job are complete, before they are kept."""

import struct
import zlib

from gan_runtime.images.png_writing import COLOUR_TYPES, PNG


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
