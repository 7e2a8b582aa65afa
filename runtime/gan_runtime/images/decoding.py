"""Decode a picture file to uint8 [size, size, channels]."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gan_runtime.errors import DataError
from gan_runtime.images.colour import srgb_converter
from gan_runtime.images.levels import DARK, FORMAT, SIGNED, WHITE, raw_modes, read_deep, to_eight_bits
from gan_runtime.images.opening import Opened, open_picture
from gan_runtime.images.options import CHANNELS, PictureOptions
from gan_runtime.images.remarks import DARK_LEVELS, NO_PROFILE, TRANSPARENT

LARGE = 40_000_000  # pixels; larger pictures are decoded one at a time, since each may take a gigabyte
ORIENTATION = 0x0112  # tag of EXIF
NO_MEMORY = "needs more memory than there is"

LEFT, RIGHT = "left", "right"  # halves of a picture that is two pictures side by side

Notice = Callable[[str, float], None]
Measure = Callable[[int, int], None]


def no_notice(kind: str, value: float) -> None:
    """A `Notice` that is not taken."""


def no_measure(width: int, height: int) -> None:
    """A `Measure` that is not taken."""


def decoder(options: PictureOptions, half: str = "") -> Callable[..., NDArray[np.uint8]]:
    """A function from the content of a picture file to uint8 [size, size, channels], which raises DataError.

    Its second argument is called with the kind and value of each remark on a usable picture, its third one with the
    width and height of the upright picture.

    Args:
        options: size, mode and other settings.
        half: `LEFT` or `RIGHT`: decode this half of a picture that is twice as wide as high; "": the whole picture.
    """
    convert, one_at_a_time = srgb_converter(), Lock()

    def decode(content: bytes, notice: Notice = no_notice, measure: Measure = no_measure) -> NDArray[np.uint8]:
        with blaming_the_file():
            opened = open_picture(content, options.max_pixels)
            width, height = opened.image.size
            with opened.image, one_at_a_time if width * height > LARGE else nullcontext():
                again = lambda: open_picture(content, options.max_pixels)  # noqa: E731
                picture = _upright_picture(opened, again, options, convert, notice)
                if _is_turned(opened.image):
                    width, height = height, width
            measure(width, height)
            return _square(_half(picture, half, width, height) if half else picture, options)

    return decode


@contextmanager
def blaming_the_file() -> Iterator[None]:
    """Raise DataError for whatever goes wrong in the block: decoders of damaged files raise what they run into."""
    from PIL import Image  # noqa: PLC0415

    try:
        yield
    except DataError:
        raise
    except MemoryError:
        raise DataError(NO_MEMORY) from None
    except Image.DecompressionBombError:
        raise DataError("more pixels than Pillow decodes of this format; make it smaller") from None
    except Exception as error:
        raise DataError(f"damaged: {' '.join(str(error).split()) or type(error).__name__}") from None


def _upright_picture(
    opened: Opened, again: Callable[[], Opened], options: PictureOptions, convert: Any, notice: Notice
) -> Any:
    """Upright, in sRGB, flattened onto the background; a JPEG perhaps at a reduced size."""
    from PIL import Image  # noqa: PLC0415

    image = opened.image
    image.draft(None, (2 * options.size, 2 * options.size))
    colours, alpha = in_srgb(opened, again, options, convert, notice)
    if alpha is not None:
        if alpha.getextrema()[0] < 255:
            notice(TRANSPARENT, 0)
        canvas, seen = Image.new("RGBA", colours.size, options.background), colours.convert("RGBA")
        seen.putalpha(alpha)
        canvas.alpha_composite(seen)
        colours = canvas.convert("RGB")
    return upright_as(image, colours.convert(options.mode))


def _is_turned(source: Any) -> bool:
    """Whether the EXIF orientation of a loaded image exchanges width and height."""
    from PIL import Image  # noqa: PLC0415

    return bool(upright_as(source, Image.new("L", (2, 1))).size == (1, 2))


def _half(picture: Any, half: str, width: int, height: int) -> Any:
    """The left or right half of a picture; width and height are those of the file. Raises DataError."""
    if width != 2 * height:
        raise DataError(f"{width} x {height} pixels: not two square pictures side by side")
    middle = picture.width // 2
    left = 0 if half == LEFT else picture.width - middle
    return picture.crop((left, 0, left + middle, picture.height))


def _square(picture: Any, options: PictureOptions) -> NDArray[np.uint8]:
    """Centre-cropped to a square, and resized with antialiasing."""
    from PIL import Image, ImageOps  # noqa: PLC0415

    side = options.size
    square = ImageOps.fit(picture, (side, side), Image.Resampling.LANCZOS)
    return np.asarray(square, np.uint8).reshape(side, side, CHANNELS[options.mode])


def in_srgb(
    opened: Opened, again: Callable[[], Opened], options: PictureOptions, convert: Any, notice: Notice
) -> tuple[Any, Any]:
    """Colours with 8 bits in mode L or RGB, in sRGB, and the alpha in mode L or None."""
    colours, alpha = _eight_bits(opened, again, options, notice)
    colours, usable = convert(colours, opened)
    if not usable:
        notice(NO_PROFILE, 0)
    return colours, alpha


def _eight_bits(
    opened: Opened, again: Callable[[], Opened], options: PictureOptions, notice: Notice
) -> tuple[Any, Any]:
    """Colours in mode L, RGB, CMYK or LAB, and the alpha in mode L or None."""
    from PIL import Image  # noqa: PLC0415

    upper_bits_alone = any(";16" in mode for mode in raw_modes(opened.image))  # where `deep` is None
    deep = read_deep(opened, again)
    if deep is None and upper_bits_alone and options.levels is not None:
        raise DataError("--levels does not work with 16 bits of premultiplied colours or CMYK; convert it first")
    if deep is None:
        return _separated(opened)
    colours = Image.fromarray(to_eight_bits(deep, options.levels))
    if options.levels is None and not deep.declared:
        highest = float(deep.samples.max())
        if 0 < highest < DARK:
            notice(DARK_LEVELS, highest)
    alpha = None if deep.alpha is None else np.rint(deep.alpha / (WHITE / 255)).astype(np.uint8)
    return colours, alpha if alpha is None else Image.fromarray(alpha)


def _separated(opened: Opened) -> tuple[Any, Any]:
    """As `_eight_bits`, for an image of at most 8 bits per sample."""
    image = opened.image
    covered = image.tile[0].extents if image.format == "GIF" and image.tile else None
    image.load()
    alpha, key = None, image.info.get("transparency")
    if image.format == "TIFF" and SIGNED in image.tag_v2.get(FORMAT, ()):
        raise DataError("its samples are signed numbers of 8 bits; convert it first")
    if image.mode == "1":
        image = image.convert("L")
        alpha = image.point(_keyed(bool(key), 1)) if isinstance(key, int) else None  # 1 or 255, by Pillow's version
    elif image.mode in ("LA", "La"):
        image, alpha = image.convert("LA").split()
    elif image.mode == "L" and isinstance(key, int):
        alpha = image.point(_keyed(key, opened.grey_bits or 8))
    elif image.mode == "RGBA":
        image, alpha = image.convert("RGB"), image.getchannel("A")
    elif image.has_transparency_data:
        *colours, alpha = image.convert("RGBA").split()
        image = _merged(colours)
    elif image.mode not in ("L", "RGB", "CMYK", "LAB"):
        image = image.convert("RGB")
    return image, alpha if covered in (None, (0, 0, *image.size)) else _only(covered, image.size, alpha)


def _keyed(level: int, bits: int) -> list[int]:
    """A table from grey levels to alpha: the level of tRNS, in `bits` bits, is transparent, all others are opaque."""
    most = 2**bits - 1
    transparent = (level & most) * 255 // most
    return [0 if grey == transparent else 255 for grey in range(256)]


def _merged(colours: list[Any]) -> Any:
    from PIL import Image  # noqa: PLC0415

    return Image.merge("RGB", colours)


def _only(box: tuple[int, int, int, int], size: tuple[int, int], alpha: Any) -> Any:
    """An alpha that is 0 outside of `box`: the first frame of a GIF may be smaller than its screen."""
    from PIL import Image  # noqa: PLC0415

    opaque = Image.new("L", size, 0)
    opaque.paste(alpha.crop(box) if alpha is not None else 255, box)
    return opaque


def upright_as(source: Any, picture: Any) -> Any:
    """`picture` rotated by the EXIF orientation of `source`, which is loaded."""
    from PIL import Image  # noqa: PLC0415

    turn = Image.Transpose
    turns = {
        2: turn.FLIP_LEFT_RIGHT,
        3: turn.ROTATE_180,
        4: turn.FLIP_TOP_BOTTOM,
        5: turn.TRANSPOSE,
        6: turn.ROTATE_270,
        7: turn.TRANSVERSE,
        8: turn.ROTATE_90,
    }
    orientation = orientation_of(source)
    return picture.transpose(turns[orientation]) if orientation in turns else picture


def orientation_of(source: Any) -> Any:
    """The EXIF orientation of a loaded image; None if it has none, or damaged EXIF data."""
    try:
        return source.getexif().get(ORIENTATION)
    except Exception:  # readers of damaged EXIF data raise whatever they run into
        return None


def turned(pixels: NDArray[np.uint8], orientation: Any) -> NDArray[np.uint8]:
    """A view of `pixels` [h, w, c], rotated upright by an EXIF orientation."""
    if orientation not in range(2, 9):
        return pixels
    if orientation > 4:
        pixels = pixels.swapaxes(0, 1)
    return pixels[:: -1 if orientation in (3, 4, 7, 8) else 1, :: -1 if orientation in (2, 3, 6, 7) else 1]
