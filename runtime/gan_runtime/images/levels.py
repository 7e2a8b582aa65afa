"""Convert samples with more than 8 bits to 8 bits: which value is black and which is white."""

import sys
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gan_runtime.errors import DataError
from gan_runtime.images.opening import BITS, Opened

WHITE = 65535
DARK = WHITE // 4  # a picture without larger values may use fewer bits than its file declares
OTHER_HALF = {  # raw mode of the other byte of 16-bit colours: Pillow keeps one byte of two
    f"{mode};16{order}": f"{mode};16{other}"
    for mode in ("RGB", "RGBX", "RGBA")
    for order, other in (("B", "L"), ("L", "B"), ("N", "B" if sys.byteorder == "little" else "L"))
}
GREY_ALPHA = "LA;16B"
MIN_VALUE, MAX_VALUE, PLANES, FORMAT = 280, 281, 284, 339  # tags of TIFF 6.0
FLOAT_MIN, FLOAT_MAX = 340, 341
SEPARATE, SIGNED = 2, 2


class Deep(NamedTuple):
    """Samples [h, w] or [h, w, 3] of more than 8 bits, and alpha [h, w] in 0 … 65535 or None.

    `white` is the value of white, None if it is unknown; `declared` says whether it is the file that declares it;
    `inverted` says that black and white are exchanged.
    """

    samples: NDArray[Any]
    alpha: NDArray[np.uint16] | None
    white: float | None
    declared: bool = False
    inverted: bool = False


def read_deep(opened: Opened, again: Any) -> Deep | None:
    """The samples of an image with more than 8 bits per sample; None for other images, which are not read.

    Args:
        opened: the image.
        again: a function that opens the image again.

    Raises:
        DataError: it is a 16-bit TIFF with separate colour planes, which Pillow decodes wrongly.
    """
    image = opened.image
    tags = getattr(image, "tag_v2", {})
    if tags.get(PLANES) == SEPARATE and max(tags.get(BITS, (8,))) > 8:
        raise DataError("its colours of 16 bits are in separate planes, which is not read; convert it first")
    modes = raw_modes(image)
    if image.mode.startswith(("I", "F")):
        return _read_grey(opened)
    if modes == {GREY_ALPHA}:
        return _read_grey_alpha(image)
    if modes and modes <= set(OTHER_HALF):
        return _read_colour(opened, again().image)
    return None


def raw_modes(image: Any) -> set[str]:
    """Pillow's raw modes of an image that is not loaded yet; none of one that was not read from a file."""
    tiles = getattr(image, "tile", ())
    first = (tile.args if isinstance(tile.args, str) else tile.args[0] for tile in tiles if tile.args)
    return {mode for mode in first if isinstance(mode, str)}


def to_eight_bits(deep: Deep, levels: tuple[float, float] | None) -> NDArray[np.uint8]:
    """uint8 of the same shape, with `levels` (black, white) mapped to 0 and 255; None stands for 0 and `deep.white`.

    Raises:
        DataError: values are outside of the range that can be assumed, or not finite.
    """
    samples = deep.samples
    if samples.dtype.kind == "f" and not np.isfinite(samples).all():
        raise DataError("has values that are not finite numbers; convert it first")
    if levels is None:
        if deep.white is None or samples.min() < 0 or samples.max() > deep.white:
            raise DataError(
                f"its values are not grey levels of 8 or 16 bits; they range from {samples.min():g} to "
                f"{samples.max():g}; set black and white with --levels LO HI"
            )
        levels = 0.0, deep.white
    if samples.dtype == np.uint16:
        table = _scaled(np.arange(WHITE + 1), *levels, deep.inverted)
        return np.take(table, samples)
    return _scaled(samples, *levels, deep.inverted)


def _scaled(values: NDArray[Any], black: float, white: float, inverted: bool) -> NDArray[np.uint8]:
    scaled = np.rint((values.astype(np.float64) - black) * 255 / (white - black)).clip(0, 255).astype(np.uint8)
    return 255 - scaled if inverted else scaled


def _read_grey(opened: Opened) -> Deep:
    image = opened.image
    image.load()
    samples = np.asarray(image)
    if samples.dtype.kind == "u":
        samples = samples.astype(np.uint16)  # in native byte order
    alpha = None
    if isinstance(image.info.get("transparency"), int):
        alpha = np.where(samples == image.info["transparency"], 0, WHITE).astype(np.uint16)
    tags = getattr(image, "tag_v2", {})
    white, declared = _white(tags, samples, image.format)
    return Deep(samples, alpha, white, declared, opened.inverted)


def _white(tags: Any, samples: NDArray[Any], kind: str) -> tuple[float | None, bool]:
    """The value of white, and whether the file declares it.

    A TIFF declares it by its bits per sample, or by a minimum of 0 and a maximum of 1 (floats) or 2^k - 1. Other minima
    and maxima are statistics of the picture, which must not change its appearance (TIFF 6.0, page 37).
    """
    if kind == "PPM" and samples.dtype.kind == "i":
        return WHITE, True  # Pillow scales by the header's maximum
    floats = samples.dtype.kind == "f"
    low, high = (_single(tags.get(tag)) for tag in ((FLOAT_MIN, FLOAT_MAX) if floats else (MIN_VALUE, MAX_VALUE)))
    if high is not None and not low and _is_full(high, floats) and samples.max() <= high:
        return high, True
    if floats:
        return None, False
    bits = _single(tags.get(BITS)) or 16
    if bits < 16:
        return 2.0**bits - 1, True
    return (32767.0 if bits == 16 and tags.get(FORMAT, (1,))[0] == SIGNED else float(WHITE)), False


def _single(value: Any) -> float | None:
    return float(value[0]) if isinstance(value, tuple) and value else None if value in (None, ()) else float(value)


def _is_full(high: float, floats: bool) -> bool:
    return (floats and high == 1) or (high > 254 and high == int(high) and not int(high) & (int(high) + 1))


def _read_grey_alpha(image: Any) -> Deep:
    """16-bit LA, read as 8-bit RGBA, which has as many bytes."""
    image.tile = [tile._replace(args="RGBA") for tile in image.tile]
    pairs = np.asarray(image).view(">u2").astype(np.uint16)
    return Deep(pairs[..., 0], pairs[..., 1], WHITE)


def _read_colour(opened: Opened, second: Any) -> Deep:
    """16-bit RGB and RGBA, decoded twice: each pass gives one byte of each sample."""
    first = opened.image
    second.tile = [tile._replace(args=_other_half(tile.args)) for tile in second.tile]
    samples = np.asarray(first).astype(np.uint16)
    samples <<= 8
    samples |= np.asarray(second)
    if samples.shape[2] == 4:
        return Deep(samples[..., :3], samples[..., 3], WHITE)
    key, alpha = first.info.get("transparency"), None
    if key is not None:
        alpha = np.where((samples == np.array(key)).all(-1), 0, WHITE).astype(np.uint16)
    return Deep(samples, alpha, WHITE)


def _other_half(args: Any) -> Any:
    """The arguments of a decoder, whose first or only one is the raw mode, changed to read the other bytes."""
    return OTHER_HALF[args] if isinstance(args, str) else (OTHER_HALF[args[0]], *args[1:])
