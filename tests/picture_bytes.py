"""Image files written by hand from their specifications, so that what they mean does not depend on any library."""

import io
import struct
import zlib
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from PIL import Image

SIDE = 32  # of the pictures here: of the size that tests ask for, so nothing is resampled
BYTE, ASCII, SHORT, LONG, FLOAT = 1, 2, 3, 4, 11
ADAM7 = [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1)]


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def packed(samples: np.ndarray, bits: int) -> list[bytes]:
    """Rows of samples [h, w, channels], most significant bits first, each row padded to whole bytes."""
    rows = samples.reshape(len(samples), -1)
    if bits == 16:
        return [row.astype(">u2").tobytes() for row in rows]
    planes = np.stack([(rows >> shift) & 1 for shift in range(bits - 1, -1, -1)], -1).reshape(len(rows), -1)
    return [np.packbits(row.astype(np.uint8)).tobytes() for row in planes]


def png(samples: np.ndarray, bits: int, colour: int, *chunks: bytes, interlaced: bool = False) -> bytes:
    """PNG of samples [h, w, channels]; `colour` 0 grey, 2 RGB, 3 palette, 4 grey and alpha, 6 RGBA."""
    height, width = samples.shape[:2]
    head = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, int(interlaced))
    passes = [samples[y::dy, x::dx] for y, x, dy, dx in ADAM7] if interlaced else [samples]
    data = zlib.compress(b"".join(b"\0" + row for part in passes for row in packed(part, bits)))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + b"".join(chunks) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def tiff(
    data: bytes, bits: Sequence[int], photometric: int, order: str = "<", more: dict[int, tuple[int, Any]] | None = None
) -> bytes:
    """TIFF of one strip of SIDE x SIDE pixels; `more` has further tags as kind and values."""
    tags: dict[int, tuple[int, Any]] = {
        256: (LONG, [SIDE]), 257: (LONG, [SIDE]), 258: (SHORT, list(bits)), 259: (SHORT, [1]),
        262: (SHORT, [photometric]), 273: (LONG, [0]), 277: (SHORT, [len(bits)]), 278: (LONG, [SIDE]),
        279: (LONG, [len(data)]),
    } | (more or {})  # fmt: skip
    formats = {BYTE: "B", SHORT: "H", LONG: "I", FLOAT: "f"}
    start = 8 + 2 + 12 * len(tags) + 4
    extra, entries = b"", []
    fields = [_field(order, formats, value) for value in tags.values()]
    strip = start + sum(len(field) for field in fields if len(field) > 4)
    tags[273] = (LONG, [strip])
    for tag, value in sorted(tags.items()):
        field = _field(order, formats, value)
        where = field.ljust(4, b"\0") if len(field) <= 4 else struct.pack(order + "I", start + len(extra))
        extra += field if len(field) > 4 else b""
        entries.append(struct.pack(order + "HHI", tag, value[0], len(value[1])) + where)
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "I", 8)
    return head + struct.pack(order + "H", len(entries)) + b"".join(entries) + bytes(4) + extra + data


def _field(order: str, formats: dict[int, str], value: tuple[int, Any]) -> bytes:
    kind, values = value
    return bytes(values) if kind == 7 else b"".join(struct.pack(order + formats[kind], one) for one in values)


def gif(width: int, height: int, frame: np.ndarray, at: tuple[int, int], transparent: int | None = None) -> bytes:
    """GIF89a with four colours, black, red, green and blue, and one frame of indices [h, w] at x, y of its screen."""
    palette = bytes([0, 0, 0, 255, 0, 0, 0, 255, 0, 0, 0, 255])
    control = b"" if transparent is None else struct.pack("<BBBBHBB", 0x21, 0xF9, 4, 1, 0, transparent, 0)
    codes: list[int] = []
    for index in frame.reshape(-1).tolist():  # a clear code before each pixel keeps all codes 3 bits long
        codes += [4, index]
    codes.append(5)
    bits = np.array([(code >> shift) & 1 for code in codes for shift in range(3)], np.uint8)
    data = np.packbits(bits, bitorder="little").tobytes()
    blocks = b"".join(bytes([len(data[i : i + 255])]) + data[i : i + 255] for i in range(0, len(data), 255))
    place = struct.pack("<BHHHHB", 0x2C, *at, frame.shape[1], frame.shape[0], 0)
    screen = struct.pack("<HHBBB", width, height, 0x91, 0, 0)
    return b"GIF89a" + screen + palette + control + place + b"\x02" + blocks + b"\0;"


def _number(value: float) -> bytes:
    return struct.pack(">i", round(value * 65536))


def _profile(space: bytes, kind: bytes, pcs: bytes, tags: list[tuple[bytes, bytes]]) -> bytes:
    text = b"test\0"
    common = [
        (b"desc", b"desc\0\0\0\0" + struct.pack(">I", len(text)) + text + bytes(78)),
        (b"cprt", b"text\0\0\0\0" + text),
        (b"wtpt", xyz(0.9642, 1.0, 0.8249)),
    ]
    table, body, start = b"", b"", 132 + 12 * (len(tags) + len(common))
    for name, data in [*common, *tags]:
        table += name + struct.pack(">II", start + len(body), len(data))
        body += data + bytes(-len(data) % 4)
    head = struct.pack(">I4sI4s4s4s", start + len(body), b"none", 0x02100000, kind, space, pcs) + bytes(12) + b"acsp"
    head += bytes(28) + _number(0.9642) + _number(1.0) + _number(0.8249) + bytes(48)
    return head + struct.pack(">I", len(common) + len(tags)) + table + body


def xyz(*values: float) -> bytes:
    return b"XYZ \0\0\0\0" + b"".join(map(_number, values))


def curve(gamma: float) -> bytes:
    return b"curv\0\0\0\0" + struct.pack(">IH", 1, round(gamma * 256)) + b"\0\0"


def rgb_profile(columns: Sequence[Sequence[float]], gamma: float) -> bytes:
    """ICC version 2: the XYZ of red, green and blue (D50), and a gamma."""
    names = (b"r", b"g", b"b")
    tags = [(name + b"XYZ", xyz(*column)) for name, column in zip(names, columns, strict=True)]
    return _profile(b"RGB ", b"mntr", b"XYZ ", [*tags, *((name + b"TRC", curve(gamma)) for name in names)])


def grey_profile(gamma: float) -> bytes:
    return _profile(b"GRAY", b"mntr", b"XYZ ", [(b"kTRC", curve(gamma))])


def cmyk_profile(lightness_of_black: float = 0.0) -> bytes:
    """ICC version 2: cyan, magenta and yellow do nothing; black takes L* from 100 to `lightness_of_black`."""
    ends = struct.pack(">HH", 0, 65535)
    grid = b""
    for index in range(16):  # the last channel varies fastest
        lightness = lightness_of_black if index & 1 else 100.0
        grid += struct.pack(">HHH", round(lightness / 100 * 0xFF00), 0x8000, 0x8000)
    unit = b"".join(_number(float(i == j)) for i in range(3) for j in range(3))
    lut = b"mft2\0\0\0\0" + bytes([4, 3, 2, 0]) + unit + struct.pack(">HH", 2, 2) + ends * 4 + grid + ends * 3
    return _profile(b"CMYK", b"prtr", b"Lab ", [(b"A2B0", lut)])


def iccp(profile: bytes) -> bytes:
    return chunk(b"iCCP", b"test\0\0" + zlib.compress(profile))


def exif(orientation: int) -> bytes:
    """A TIFF structure with the tag 274 alone, as in an APP1 segment or an eXIf chunk."""
    return b"MM\0*" + struct.pack(">IHHHIHHI", 8, 1, 274, SHORT, 1, orientation, 0, 0)


def saved(image: Image.Image, kind: str, **options: Any) -> bytes:
    content = io.BytesIO()
    image.save(content, kind, **options)
    return content.getvalue()


def halves(*values: Any) -> np.ndarray:
    """[SIDE, SIDE, channels] with the values in equal stripes from left to right."""
    edges = np.linspace(0, SIDE, len(values) + 1).astype(int)
    stripes = [np.tile(np.atleast_1d(v), (SIDE, b - a, 1)) for v, (a, b) in zip(values, pairwise(edges), strict=True)]
    return np.concatenate(stripes, axis=1)
