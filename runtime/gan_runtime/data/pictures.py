"""Pictures of any mode and size as arrays of one shape: a folder or archive becomes a data set."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gan_runtime.data.dataset import Dataset
from gan_runtime.data.entries import LABEL_FILE
from gan_runtime.data.listing import Bad
from gan_runtime.errors import DataError, InputError
from gan_runtime.images.decoding import CHANNELS as MODES
from gan_runtime.images.decoding import decoder
from gan_runtime.images.grids import MAX_PIXELS
from gan_runtime.images.remarks import TRANSPARENT, Remark

__all__ = ["MODES", "PictureOptions", "check_pictures", "decoder", "is_pictures", "load_pictures"]

if TYPE_CHECKING:
    from gan_runtime.data.cache import Decoded

SIZES = range(28, 257)
LABELS = ("none", "folders", LABEL_FILE)


@dataclass(frozen=True)
class PictureOptions:
    """How pictures of any kind become uint8 [size, size, channels].

    Args:
        size: side of the square to which each is centre-cropped and resized, 28 to 256.
        mode: "L" for grey or "RGB".
        background: what is seen through transparent pixels: a name ("white"), "#rrggbb" or whatever pillow understands.
        labels: "folders" makes each sub-folder a class, or takes the classes in the dataset.json of StyleGAN's dataset
            tool where there is one; "dataset.json" takes those alone; "none" makes none.
        skip_bad: leave out what cannot be read instead of refusing the whole.
        levels: the values that are black and white in pictures of more than 8 bits per sample; None takes 0 and what
            the file declares, else 65,535 (32,767 where samples are signed); of floats somebody has to say it.
        max_pixels: the size from which on a picture is refused, before it is decoded.
        follow_links: read what links lead to that point out of the folder.

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
        if self.mode not in tuple(MODES):
            raise InputError(f"mode {self.mode!r}: choose {' or '.join(MODES)}")
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
        raise InputError(f"levels {levels!r}: give two numbers, the values of black and white") from None
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise InputError(f"levels {low:g} {high:g}: give the value of black and then a larger one, of white")
    return low, high


@dataclass(frozen=True)
class PictureReport:
    """What was found: usable images, bad files, files that are no pictures, and images per class in their order.

    `left_out` counts caches and hidden files by kind, `remarks` say what is odd.
    """

    images: int
    bad: tuple[Bad, ...]
    ignored: int
    classes: dict[str, int]
    left_out: dict[str, int]
    remarks: tuple[str, ...]


def is_pictures(source: str) -> bool:
    """Whether `source` is an existing folder, or a file that ends in .zip."""
    return bool(source) and (Path(source).is_dir() or (source.lower().endswith(".zip") and Path(source).is_file()))


def load_pictures(path: Path, options: PictureOptions, quiet: bool = False) -> Dataset:
    """The pictures of a folder or .zip archive, sorted by name, decoded once and then read from the user's cache.

    Raises:
        DataError: there are none, or some are bad and `options.skip_bad` is not set.
    """
    from gan_runtime.data.cache import decoded  # noqa: PLC0415
    from gan_runtime.terminal.commandline import note  # noqa: PLC0415

    found = decoded(path, options, quiet)
    total = len(found.images) + len(found.bad)
    if found.bad and not options.skip_bad:
        raise DataError(
            f"{path}: {len(found.bad):,} of {total:,} pictures cannot be used: {_shown(found.bad, 3)}; repair or "
            "remove them, or leave them out with --skip-bad"
        )
    if not len(found.images):
        others = "".join(f"; {remark}" for remark in passed_over(found.ignored, found.left_out))
        raise DataError(f"{path}: has no picture that can be used: {_shown(found.bad, 3)}{others}")
    empty = [name for name, count in images_per_class(found).items() if not count]
    if empty:
        raise DataError(
            f"{path}: no picture of {', '.join(empty[:5])} can be used, and without it the classes after it would get "
            "other numbers; repair its pictures, or take its folder away"
        )
    if found.bad and not quiet:
        note(f"{path}: {len(found.bad):,} of {total:,} pictures skipped: {_shown(found.bad, 10)}")
    for remark in () if quiet else (*all_remarks(found, options), *passed_over(found.ignored, found.left_out)):
        note(f"{path}: {remark}")
    where = path.resolve()
    name = where.name if where.is_dir() else where.stem
    return Dataset(name, "train", found.images, found.labels, found.classes, found.digest, names=found.names)


def check_pictures(path: Path, options: PictureOptions, quiet: bool = False) -> PictureReport:
    """Decode every picture and report on all of them, good and bad."""
    from gan_runtime.data.cache import decoded  # noqa: PLC0415

    found = decoded(path, options, quiet)
    classes = images_per_class(found)
    return PictureReport(
        len(found.images), found.bad, found.ignored, classes, found.left_out, all_remarks(found, options)
    )


def images_per_class(found: "Decoded") -> dict[str, int]:
    """How many usable pictures each class has, in the order of their numbers."""
    counts = np.bincount(found.labels, minlength=len(found.classes))
    return {name: int(count) for name, count in zip(found.classes, counts, strict=False)}


def passed_over(ignored: int, left_out: dict[str, int]) -> list[str]:
    """For people: how many files are no pictures by their suffix, and how many are not the user's."""
    files = f"{ignored:,} other {'files' if ignored > 1 else 'file'} ignored, without the suffix of a picture"
    kinds = ", ".join(f"{count:,} {kind}" for kind, count in left_out.items())
    return [files] * bool(ignored) + [f"left out: {kinds}"] * bool(kinds)


def all_remarks(found: "Decoded", options: PictureOptions) -> tuple[str, ...]:
    """What the user may not expect of the classes and the pixels, as text."""
    return (*found.class_remarks, *said(found.remarks, options))


def said(remarks: tuple[Remark, ...], options: PictureOptions) -> tuple[str, ...]:
    """The remarks as text; not that the background shows where somebody has chosen it."""
    chosen = options.background != PictureOptions.background
    return tuple(remark.text(options.background) for remark in remarks if not (chosen and remark.kind == TRANSPARENT))


def _shown(bad: tuple[Bad, ...], most: int) -> str:
    """The first of the bad files, with reasons, on one line."""
    shown = "; ".join(f"{entry.name} ({entry.reason})" for entry in bad[:most])
    return f"{shown}; and {len(bad) - most:,} more" if len(bad) > most else shown or "it holds no picture at all"
