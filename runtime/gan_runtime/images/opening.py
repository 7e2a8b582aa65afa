"""Open picture files with Pillow, without its process-wide limits.

`Image.open` takes its limits from module attributes (`Image.MAX_IMAGE_PIXELS`, `PngImagePlugin.MAX_TEXT_CHUNK`) and
reports large pictures as warnings; both affect the whole process. Therefore the format's reader is called directly, the
size is checked against the caller's limit, and the text chunks of a PNG are removed before it is read.
"""

import io
import struct
import zlib
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import field
from functools import cache
from importlib import import_module
from typing import Any, NamedTuple

from gan_runtime.errors import DataError
from gan_runtime.images.png_writing import PNG
from gan_runtime.records import record

READERS = {  # modules and classes of Pillow by format; none that starts another program
    "PNG": ("PngImagePlugin", "PngImageFile"),
    "JPEG": ("JpegImagePlugin", "JpegImageFile"),  # the first picture of a file with several (MPO), as in viewers
    "WEBP": ("WebPImagePlugin", "WebPImageFile"),
    "GIF": ("GifImagePlugin", "GifImageFile"),
    "BMP": ("BmpImagePlugin", "BmpImageFile"),
    "TIFF": ("TiffImagePlugin", "TiffImageFile"),
    "PPM": ("PpmImagePlugin", "PpmImageFile"),
    "AVIF": ("AvifImagePlugin", "AvifImageFile"),
}
MAX_PROFILE = 8 * 2**20  # bytes of a colour profile; profiles of printers have up to 4 MB
PNG_CHUNKS = (b"tRNS", b"eXIf")  # ancillary chunks that are kept for Pillow
PNG_ANIMATION = (b"acTL", b"fcTL", b"fdAT")
PNG_COLOUR = (b"iCCP", b"cICP", b"sRGB", b"gAMA", b"cHRM")
GREY = 0  # colour type of a PNG
HEADER_END = 33  # of the first chunk of a PNG
FOREIGN = {  # other files that are often found among pictures, by their first bytes
    b"%PDF": "a PDF",
    b"8BPS": "a Photoshop file",
    b"\x00\x00\x00\x0cJXL ": "a JPEG XL picture",
    b"\xff\x0a": "a JPEG XL picture",
    b"\x00\x00\x00\x0cjP  ": "a JPEG 2000 picture",
    b"<svg": "an SVG drawing",
    b"<!DOCTYPE html": "an HTML page",
    b"<html": "an HTML page",
    b"version https://git-lfs": "a Git LFS pointer in place of the picture",
}
BITS, PHOTOMETRIC = 258, 262  # tags of a TIFF
WHITE_IS_ZERO, BLACK_IS_ZERO, SHORT = 0, 1, 3
HEIC = (b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"mif1", b"msf1")


@record(frozen=True)
class Opened:
    """An image that is not decoded yet, and properties that Pillow does not report.

    Args:
        image: Pillow's image.
        grey_bits: bits per sample of a grey PNG, which are also the unit of its transparent level.
        inverted: 0 is white, and Pillow does not handle that.
        colour: the colour chunks of a PNG by name; "iCCP" is decompressed.
    """

    image: Any
    grey_bits: int | None = None
    inverted: bool = False
    colour: dict[bytes, bytes] = field(default_factory=dict)


class Chunk(NamedTuple):
    """A chunk of a PNG and its position in the file."""

    kind: bytes
    data: memoryview
    start: int
    end: int


def open_picture(content: bytes, max_pixels: int, *, animated: bool = False) -> Opened:
    """Open the image in `content` and check its size, without decoding it.

    Args:
        content: the file.
        max_pixels: the largest number of pixels of one picture.
        animated: also read the frames of an animated PNG; its still image alone otherwise.

    Raises:
        DataError: the content is empty, of no supported format, or larger than `max_pixels`.
    """
    if not content:
        raise DataError("empty")
    is_png = content.startswith(PNG)
    if is_png and len(content) >= HEADER_END and 0 in (sides := struct.unpack_from(">II", content, 16)):
        raise DataError(f"{sides[0]} x {sides[1]} pixels: there are none")
    colour: dict[bytes, bytes] = {}
    if is_png:
        content, colour = _without_metadata(content, PNG_CHUNKS + PNG_ANIMATION * animated)
    black_is_zero = _black_is_zero(content)
    image = _read_header(black_is_zero or content)
    width, height = image.size
    if width * height > max_pixels:
        raise DataError(
            f"{width} x {height} pixels, more than {max_pixels:,}: a decompression bomb, or a picture that needs a "
            "higher --max-pixels"
        )
    bits = content[24] if is_png and content[25] == GREY else None
    return Opened(image, bits, black_is_zero is not None, colour)


def _read_header(content: bytes) -> Any:
    for kind in READERS:
        accepts, reader = _reader(kind)
        if accepts(content[:16]) is True:
            try:
                return reader(io.BytesIO(content))
            except (SyntaxError, IndexError, TypeError, struct.error):  # as Image.open
                raise DataError(f"damaged, or {kind} of a variant that is not read; convert it to PNG") from None
    name = next((name for start, name in FOREIGN.items() if content.lstrip()[: len(start)] == start), "")
    if content[4:8] == b"ftyp" and content[8:12] in HEIC:
        name = "a HEIC picture"
    kinds = f"not an image of a supported format ({', '.join(READERS)})"
    raise DataError(f"{name}, {kinds}; convert it to PNG or JPEG" if name else f"{kinds}, or a damaged one")


@cache
def _reader(kind: str) -> tuple[Any, Any]:
    """Recogniser and reader of a format, imported when no format before it fits: the first ones are the usual ones."""
    from PIL import Image  # noqa: PLC0415

    module, name = READERS[kind]
    reader = getattr(import_module(f"PIL.{module}"), name)
    return Image.OPEN[kind][1], reader


def _without_metadata(content: bytes, ancillary: tuple[bytes, ...]) -> tuple[bytes, dict[bytes, bytes]]:
    """A PNG without the chunks that do not affect its pixels (text, …) except for `ancillary`; its colour chunks.

    The specification allows compressed text and profiles of any size; Pillow refuses the whole picture if they
    decompress to more than 1 MiB.
    """
    kept: list[bytes | memoryview] = [PNG]
    colour: dict[bytes, bytes] = {}
    for chunk in _chunks(content):
        if chunk.kind[:1].isupper() or chunk.kind in ancillary:
            kept.append(memoryview(content)[chunk.start : chunk.end])
        elif chunk.kind in PNG_COLOUR:
            colour[chunk.kind] = _decompressed(chunk.data) if chunk.kind == b"iCCP" else bytes(chunk.data)
    return b"".join(kept), colour


def _black_is_zero(content: bytes) -> bytes | None:
    """A WhiteIsZero TIFF with more than 8 bits (TIFF 6.0, page 37), changed to BlackIsZero; None for other files.

    Pillow reads both alike, or only BlackIsZero.
    """
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(content[:4], "")
    found: dict[int, tuple[int, int]] = {}
    with suppress(struct.error):
        (start,) = struct.unpack_from(order + "I", content, 4) if order else (0,)
        (count,) = struct.unpack_from(order + "H", content, start) if order else (0,)
        for place in range(start + 2, start + 2 + 12 * count, 12):
            tag, kind, number, value = struct.unpack_from(order + "HHIH", content, place)
            if (kind, number) == (SHORT, 1):
                found[tag] = place + 8, value
    if found.get(PHOTOMETRIC, (0, 1))[1] != WHITE_IS_ZERO or found.get(BITS, (0, 1))[1] <= 8:
        return None
    place = found[PHOTOMETRIC][0]
    return content[:place] + struct.pack(order + "H", BLACK_IS_ZERO) + content[place + 2 :]


def _chunks(content: bytes) -> Iterator[Chunk]:
    """All chunks; the last one may be truncated."""
    view, start = memoryview(content), len(PNG)
    while start + 8 <= len(content):
        length, kind = struct.unpack_from(">I4s", content, start)
        end = start + 12 + length
        yield Chunk(kind, view[start + 8 : min(end - 4, len(content))], start, min(end, len(content)))
        start = end


def _decompressed(data: memoryview) -> bytes:
    """The profile in an iCCP chunk (name, zero byte, method 0, zlib stream); empty if it is invalid."""
    name, _, packed = bytes(data).partition(b"\0")
    decompressor = zlib.decompressobj()
    try:
        profile = decompressor.decompress(packed[1:], MAX_PROFILE)
    except zlib.error:
        return b""
    return profile if decompressor.eof and len(name) < 80 else b""
