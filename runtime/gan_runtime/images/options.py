"""The options of decoding: how pictures of any mode and size become images of one shape."""

import math
from dataclasses import replace
from typing import Any

from gan_runtime.errors import InputError
from gan_runtime.images.grids import MAX_PIXELS
from gan_runtime.manifest import ImageSize
from gan_runtime.records import record

CHANNELS = {"L": 1, "RGB": 3}  # of each mode
SIZES = range(28, 513)
LABEL_FILE = "dataset.json"  # of StyleGAN's dataset tool
LABELS = ("none", "folders", LABEL_FILE)
USUAL_BACKGROUNDS = ("white", "black")  # for which Pillow is not imported


@record(frozen=True)
class PictureOptions:
    """How pictures become uint8 [size, size, channels].

    Args:
        size: side of the square to which each picture is centre-cropped and resized, 28 to 512.
        mode: "L" (grey) or "RGB".
        background: the colour behind transparent pixels: a name ("white"), "#rrggbb", or what else Pillow accepts.
        labels: "folders": each sub-folder is a class, unless the folder has a dataset.json (of StyleGAN's dataset
            tool) with classes; "dataset.json": only that file is used; "none": there are no classes.
        skip_bad: skip pictures that cannot be read instead of raising an error.
        levels: the values of black and white in pictures with more than 8 bits per sample. None: 0 and what the file
            declares, else 65,535 (32,767 for signed samples). Required for floating-point samples.
        max_pixels: pictures with more pixels are refused before they are decoded.
        follow_links: read the targets of links that point out of the folder.

    Raises:
        InputError: a value is out of range.
    """

    size: int = 64
    mode: str = "RGB"
    background: str = "white"
    labels: str = "none"
    skip_bad: bool = False
    levels: tuple[float, float] | None = None
    max_pixels: int = MAX_PIXELS
    follow_links: bool = False

    def __post_init__(self) -> None:
        if not _is_integer(self.size) or self.size not in SIZES:
            raise InputError(f"size {self.size}: must be between {SIZES[0]} and {SIZES[-1]}")
        if self.mode not in tuple(CHANNELS):
            raise InputError(f"mode {self.mode!r}: choose {' or '.join(CHANNELS)}")
        if self.labels not in LABELS:
            raise InputError(f"labels {self.labels!r}: choose {' or '.join(LABELS)}")
        _check_background(self.background)
        if self.levels is not None:
            object.__setattr__(self, "levels", _checked_levels(self.levels))  # JSON has lists
        if not _is_integer(self.max_pixels) or self.max_pixels < 1:
            raise InputError(f"max_pixels {self.max_pixels}: must be a positive integer")


def _is_integer(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _check_background(background: object) -> None:
    if background in USUAL_BACKGROUNDS:
        return
    from PIL import ImageColor  # noqa: PLC0415

    try:
        colour = ImageColor.getrgb(background) if isinstance(background, str) else ()
    except ValueError:
        colour = ()
    if not colour:
        raise InputError(f"background {background!r}: not a colour; try white, black or #8040ff")
    if colour[3:] not in ((), (255,)):
        raise InputError(f"background {background!r}: is transparent itself; try white, black or #8040ff")


def _checked_levels(levels: Any) -> tuple[float, float]:
    try:
        low, high = map(float, levels)
    except (TypeError, ValueError):
        raise InputError(f"levels {levels!r}: must be two numbers, the values of black and white") from None
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise InputError(f"levels {low:g} {high:g}: the value of white must be larger than that of black")
    return low, high


def pictures_as(source: str, size: ImageSize, like: PictureOptions | None = None) -> PictureOptions:
    """Options that decode the pictures of `source` to images of this size, and otherwise are those of `like`.

    Raises:
        InputError: the size is not that of a square grey or RGB image, or is none that pictures are decoded to.
    """
    mode = next((mode for mode, channels in CHANNELS.items() if channels == size.channels), "")
    if size.height != size.width or not mode:
        raise InputError(
            f"{source}: pictures are decoded to grey or RGB squares, but the file takes {size}; use a .npy"
        )
    if size.height not in SIZES:
        raise InputError(
            f"{source}: pictures are decoded to sides of {SIZES[0]} to {SIZES[-1]}, but the model takes {size}; use a "
            ".npy"
        )
    return replace(like or PictureOptions(), size=size.height, mode=mode, labels="none", skip_bad=True)
