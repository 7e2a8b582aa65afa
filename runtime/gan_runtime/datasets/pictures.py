"""Pictures of any mode and size as arrays of one shape: a folder or archive becomes a data set."""

import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gan_runtime.datasets.dataset import Dataset
from gan_runtime.datasets.listing import Bad
from gan_runtime.errors import DataError, InputError

SIZES = range(28, 257)
MODES = {"L": 1, "RGB": 3}
LABELS = ("none", "folders")
FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "PPM", "AVIF")  # never those that start other programs


@dataclass(frozen=True)
class PictureOptions:
    """How pictures of any kind become uint8 [size, size, channels].

    Args:
        size: side of the square to which each is centre-cropped and resized, 28 to 256.
        mode: "L" for grey or "RGB".
        background: what is seen through transparent pixels: a name ("white"), "#rrggbb" or whatever pillow understands.
        labels: "folders" makes each sub-folder a class, "none" makes none.
        skip_bad: leave out what cannot be read instead of refusing the whole.
    """

    size: int = 64
    mode: str = "RGB"
    background: str = "white"
    labels: str = "none"
    skip_bad: bool = False

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


@dataclass(frozen=True)
class PictureReport:
    """What was found: usable images, bad files, files that are no pictures, and images per class."""

    images: int
    bad: tuple[Bad, ...]
    ignored: int
    classes: dict[str, int]


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
    return PictureReport(len(found.images), found.bad, found.ignored, classes)


def decoder(options: PictureOptions) -> Callable[[bytes], NDArray[np.uint8]]:
    """A function from the bytes of an image file to uint8 [size, size, channels]; raises DataError with the reason."""
    from PIL import Image, UnidentifiedImageError  # noqa: PLC0415

    def decode(content: bytes) -> NDArray[np.uint8]:
        if not content:
            raise DataError("empty")
        try:
            with Image.open(io.BytesIO(content), formats=FORMATS) as image:
                return _to_array(image, options)
        except UnidentifiedImageError:
            raise DataError(f"no image of a kind that is read ({', '.join(FORMATS)}), or a damaged one") from None
        except (Image.DecompressionBombWarning, Image.DecompressionBombError):
            raise DataError(f"a decompression bomb, or more than {Image.MAX_IMAGE_PIXELS:,} pixels") from None
        except DataError:
            raise
        except MemoryError:
            raise DataError("needs more memory than there is") from None
        except Exception as error:  # decoders of damaged files raise whatever they happen to run into
            raise DataError(f"damaged: {' '.join(str(error).split()) or type(error).__name__}") from None

    return decode


def _to_array(image: Any, options: PictureOptions) -> NDArray[np.uint8]:
    """Upright, flattened onto the background, centre-cropped to a square, and resized with an antialiasing filter."""
    from PIL import Image, ImageOps  # noqa: PLC0415

    side = options.size
    image.draft(None, (2 * side, 2 * side))  # a JPEG is decoded no larger than it is needed
    upright = ImageOps.exif_transpose(image)
    if upright.has_transparency_data:
        canvas = Image.new("RGBA", upright.size, options.background)
        canvas.alpha_composite(upright.convert("RGBA"))
        upright = canvas.convert("RGB")
    flat = _eight_bits(upright).convert(options.mode)
    square = ImageOps.fit(flat, (side, side), Image.Resampling.LANCZOS)
    return np.asarray(square, np.uint8).reshape(side, side, MODES[options.mode])


def _eight_bits(image: Any) -> Any:
    """Grey of 16 bits as grey of 8; pillow would clip it."""
    from PIL import Image  # noqa: PLC0415

    if not image.mode.startswith(("I", "F")):
        return image
    values = np.asarray(image)
    if values.dtype.kind == "f" or values.min() < 0 or values.max() > 65535:
        raise DataError("its values are no grey levels of 8 or 16 bits; convert it first")
    return Image.fromarray(np.rint(values / 257).astype(np.uint8))


def _shown(bad: tuple[Bad, ...], most: int) -> str:
    """The first of the bad files, with reasons, on one line."""
    shown = "; ".join(f"{entry.name} ({entry.reason})" for entry in bad[:most])
    return f"{shown}; and {len(bad) - most:,} more" if len(bad) > most else shown or "it holds no picture at all"
