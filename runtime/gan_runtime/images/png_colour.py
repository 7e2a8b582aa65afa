"""ICC profiles from the colour chunks of a PNG (PNG specification, third edition, section 4.3)."""

import struct
from typing import Any

import numpy as np
from numpy.typing import NDArray

XY = tuple[float, ...]  # chromaticities x and y of white, red, green, blue
D65 = (0.3127, 0.3290)
SRGB_XY: XY = (*D65, 0.64, 0.33, 0.30, 0.60, 0.15, 0.06)
PRIMARIES = {  # by code point of ITU-T H.273 (cICP): BT.709, BT.2020, Display P3
    1: SRGB_XY,
    9: (*D65, 0.708, 0.292, 0.170, 0.797, 0.131, 0.046),
    12: (*D65, 0.680, 0.320, 0.265, 0.690, 0.150, 0.060),
}
SRGB_CURVE: tuple[float, ...] = (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)
BT709_CURVE: tuple[float, ...] = (1 / 0.45, 1 / 1.099, 0.099 / 1.099, 1 / 4.5, 0.081)
TRANSFERS = dict.fromkeys((1, 6, 14, 15), BT709_CURVE) | {4: (2.2,), 5: (2.8,), 8: (1.0,), 13: SRGB_CURVE}
SRGB_GAMMA = 45455  # the value of gAMA that writers of sRGB use
GAMMA_TOLERANCE = 500
XY_TOLERANCE = 0.001
D50 = np.array([0.9642, 1.0, 0.8249])
BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])


def png_profile(chunks: dict[bytes, bytes], *, grey: bool) -> bytes | None:
    """An ICC profile, None for sRGB, empty if the chunks cannot be used.

    The precedence is cICP, iCCP, sRGB, gAMA with cHRM. cHRM alone is ignored; gAMA alone implies the primaries of sRGB.
    PQ and HLG (cICP) have no counterpart in 8-bit sRGB and cannot be used.
    """
    if b"cICP" in chunks:
        return _from_code_points(chunks[b"cICP"], grey)
    if b"iCCP" in chunks:
        return chunks[b"iCCP"]
    if b"sRGB" in chunks or len(chunks.get(b"gAMA", b"")) != 4:
        return None
    (gamma,) = struct.unpack(">I", chunks[b"gAMA"])
    chromaticities = SRGB_XY
    if len(chunks.get(b"cHRM", b"")) == 32 and not grey:
        chromaticities = tuple(value / 100_000 for value in struct.unpack(">8I", chunks[b"cHRM"]))
    usual = np.allclose(chromaticities, SRGB_XY, atol=XY_TOLERANCE)
    if gamma == 0 or (abs(gamma - SRGB_GAMMA) <= GAMMA_TOLERANCE and usual):
        return None
    return _profile(chromaticities, (100_000 / gamma,), grey)


def _from_code_points(data: bytes, grey: bool) -> bytes | None:
    primaries, transfer = (data[0], data[1]) if len(data) == 4 else (0, 0)
    if primaries not in PRIMARIES or transfer not in TRANSFERS:
        return b""
    if TRANSFERS[transfer] is SRGB_CURVE and (grey or primaries == 1):
        return None
    return _profile(PRIMARIES[primaries], TRANSFERS[transfer], grey)


def _profile(chromaticities: XY, curve: tuple[float, ...], grey: bool) -> bytes:
    """A version 4 profile of a display, or of grey, with a parametric curve (ICC.1:2010); empty if impossible."""
    try:
        columns = _to_d50(chromaticities)
        tone = b"para\0\0\0\0" + struct.pack(">HH", 0 if len(curve) == 1 else 3, 0) + _numbers(curve)
    except (np.linalg.LinAlgError, struct.error, FloatingPointError, ZeroDivisionError):
        return b""
    tags = [(b"wtpt", b"XYZ \0\0\0\0" + _numbers(D50))]
    if grey:
        tags.append((b"kTRC", tone))
    else:
        for name, column in zip((b"r", b"g", b"b"), columns.T, strict=True):
            tags += [(name + b"XYZ", b"XYZ \0\0\0\0" + _numbers(column)), (name + b"TRC", tone)]
    return _assembled(b"GRAY" if grey else b"RGB ", tags)


def _to_d50(chromaticities: XY) -> NDArray[np.float64]:
    """Columns: red, green and blue in XYZ, adapted from their white to D50 by Bradford's method."""
    with np.errstate(all="raise"):
        x, y = np.reshape(chromaticities, (4, 2)).T
        xyz = np.stack([x / y, np.ones(4), (1 - x - y) / y])
        white, primaries = xyz[:, 0], xyz[:, 1:]
        scaled = primaries * np.linalg.solve(primaries, white)
        gains = (BRADFORD @ D50) / (BRADFORD @ white)
        adapted: NDArray[np.float64] = np.linalg.inv(BRADFORD) @ (gains[:, None] * (BRADFORD @ scaled))
        return adapted


def _numbers(values: Any) -> bytes:
    """As s15Fixed16Number."""
    return b"".join(struct.pack(">i", round(value * 65536)) for value in values)


def _assembled(space: bytes, tags: list[tuple[bytes, bytes]]) -> bytes:
    table, body, start = b"", b"", 132 + 12 * len(tags)
    for name, data in tags:
        table += name + struct.pack(">II", start + len(body), len(data))
        body += data + bytes(-len(data) % 4)
    head = struct.pack(">I4sI4s4s4s", start + len(body), b"none", 0x04300000, b"mntr", space, b"XYZ ")
    return (
        head + bytes(12) + b"acsp" + bytes(28) + _numbers(D50) + bytes(48) + struct.pack(">I", len(tags)) + table + body
    )
