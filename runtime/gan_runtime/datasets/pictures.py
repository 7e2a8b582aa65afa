"""Pictures of any mode and size as arrays of one shape: a folder or archive becomes a data set."""

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gan_runtime.datasets.dataset import Dataset
from gan_runtime.datasets.decoding import CHANNELS as MODES
from gan_runtime.datasets.decoding import decoder
from gan_runtime.datasets.listing import Bad
from gan_runtime.datasets.remarks import Remark
from gan_runtime.errors import DataError, InputError
from gan_runtime.images import MAX_PIXELS

__all__ = ["MODES", "PictureOptions", "check_pictures", "decoder", "is_pictures", "load_pictures"]

SIZES = range(28, 257)
LABELS = ("none", "folders")


@dataclass(frozen=True)
class PictureOptions:
    """How pictures of any kind become uint8 [size, size, channels].

    Args:
        size: side of the square to which each is centre-cropped and resized, 28 to 256.
        mode: "L" for grey or "RGB".
        background: what is seen through transparent pixels: a name ("white"), "#rrggbb" or whatever pillow understands.
        labels: "folders" makes each sub-folder a class, "none" makes none.
        skip_bad: leave out what cannot be read instead of refusing the whole.
        levels: the values that are black and white in pictures of more than 8 bits per sample; None takes 0 and what
            the file declares, else 65,535 (32,767 where samples are signed); of floats somebody has to say it.
        max_pixels: the size from which on a picture is refused, before it is decoded.

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

    def __post_init__(self) -> None:
        from PIL import ImageColor  # noqa: PLC0415

        if self.size not in SIZES:
            raise InputError(f"size {self.size}: must be between {SIZES[0]} and {SIZES[-1]}")
        if self.mode not in MODES:
            raise InputError(f"mode {self.mode!r}: choose {' or '.join(MODES)}")
        if self.labels not in LABELS:
            raise InputError(f"labels {self.labels!r}: choose {' or '.join(LABELS)}")
        try:
            ImageColor.getrgb(self.background)
        except ValueError:
            raise InputError(f"background {self.background!r}: not a colour; try white, black or #8040ff") from None
        if self.levels is not None:
            object.__setattr__(self, "levels", _checked_levels(*self.levels))  # JSON has lists
        if self.max_pixels < 1:
            raise InputError(f"max_pixels {self.max_pixels}: must be positive")


def _checked_levels(low: float, high: float) -> tuple[float, float]:
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise InputError(f"levels {low:g} {high:g}: give the value of black and then a larger one, of white")
    return float(low), float(high)


@dataclass(frozen=True)
class PictureReport:
    """What was found: usable images, bad files, files that are no pictures, images per class, and what is odd."""

    images: int
    bad: tuple[Bad, ...]
    ignored: int
    classes: dict[str, int]
    remarks: tuple[str, ...] = ()


def is_pictures(source: str) -> bool:
    """Whether `source` is an existing folder, or a file that ends in .zip."""
    return bool(source) and (Path(source).is_dir() or (source.lower().endswith(".zip") and Path(source).is_file()))


def load_pictures(path: Path, options: PictureOptions, quiet: bool = False) -> Dataset:
    """The pictures of a folder or .zip archive, sorted by name, decoded once and then read from the user's cache.

    Raises:
        DataError: there are none, or some are bad and `options.skip_bad` is not set.
    """
    from gan_runtime.commandline import note  # noqa: PLC0415
    from gan_runtime.datasets.decoded import decoded  # noqa: PLC0415

    found = decoded(path, options, quiet)
    total = len(found.images) + len(found.bad)
    if found.bad and not options.skip_bad:
        raise DataError(
            f"{path}: {len(found.bad):,} of {total:,} pictures cannot be used: {_shown(found.bad, 3)}; repair or "
            "remove them, or leave them out with --skip-bad"
        )
    if not len(found.images):
        raise DataError(f"{path}: has no picture that can be used: {_shown(found.bad, 3)}")
    if found.bad and not quiet:
        note(f"{path}: {len(found.bad):,} of {total:,} pictures skipped: {_shown(found.bad, 10)}")
    for remark in () if quiet else said(found.remarks, options):
        note(f"{path}: {remark}")
    if found.ignored and not quiet:
        note(f"{path}: {found.ignored:,} other {'files' if found.ignored > 1 else 'file'} ignored")
    where = path.resolve()
    name = where.name if where.is_dir() else where.stem
    return Dataset(name, "train", found.images, found.labels, found.classes, found.digest)


def check_pictures(path: Path, options: PictureOptions, quiet: bool = False) -> PictureReport:
    """Decode every picture and report on all of them, good and bad."""
    from gan_runtime.datasets.decoded import decoded  # noqa: PLC0415

    found = decoded(path, options, quiet)
    counts = np.bincount(found.labels, minlength=len(found.classes))
    classes = {name: int(count) for name, count in zip(found.classes, counts, strict=False)}
    return PictureReport(len(found.images), found.bad, found.ignored, classes, said(found.remarks, options))


def said(remarks: tuple[Remark, ...], options: PictureOptions) -> tuple[str, ...]:
    """The remarks as text."""
    return tuple(remark.text(options.background) for remark in remarks)


def _shown(bad: tuple[Bad, ...], most: int) -> str:
    """The first of the bad files, with reasons, on one line."""
    shown = "; ".join(f"{entry.name} ({entry.reason})" for entry in bad[:most])
    return f"{shown}; and {len(bad) - most:,} more" if len(bad) > most else shown or "it holds no picture at all"
