"""Write pictures with alpha as PNG, TIFF, JPEG or WebP, and animations as PNG, WebP or GIF."""

import io
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, BinaryIO

import numpy as np

from gan_runtime.devices.memory import available_memory
from gan_runtime.errors import InputError
from gan_runtime.images import png_writing, tiff_writing
from gan_runtime.images.bands import Band, Banded
from gan_runtime.images.png_writing import LEVEL, write_png
from gan_runtime.images.tiff_writing import write_tiff
from gan_runtime.images.whole import Picture
from gan_runtime.records import record

STILLS = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP", ".tif": "TIFF", ".tiff": "TIFF"}
ANIMATIONS = {".png": "PNG", ".apng": "PNG", ".webp": "WEBP", ".gif": "GIF"}
SUFFIXES = tuple(dict.fromkeys((*STILLS, *ANIMATIONS)))
BY_ROWS = ("PNG", "TIFF")  # stills that are written as their rows come, so that memory does not grow with them
MOST = {  # pixels per side; of JPEG, what libjpeg writes
    "PNG": png_writing.MOST_SIDE,
    "TIFF": tiff_writing.MOST_SIDE,
    "JPEG": 65500,
    "WEBP": 16383,
    "GIF": 65535,
}
WITH_EXIF = ("PNG", "JPEG", "WEBP")
QUALITY = 95  # of JPEG
EXIF_HEADER = b"Exif\0\0"
MODES = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}  # of Pillow, by the number of channels
IN_MEMORY = 4  # bytes per pixel of a picture that Pillow encodes
COLOURS = 255  # of a frame of a GIF, and one index for transparent pixels
HALF = 128  # the least alpha of a pixel that a GIF shows


@record(frozen=True)
class Encoding:
    """How pictures are written.

    Attributes:
        suffix: a key of `STILLS` or `ANIMATIONS`.
        quality: 1 to 100, of JPEG and of lossy WebP. None: `QUALITY` for JPEG; WebP is lossless.
        background: the colour behind transparent pixels in JPEG, which has no alpha.
        keeps_metadata: the EXIF data of a still picture are written, too.

    Raises:
        InputError: the suffix is unknown, or has no quality or no EXIF data.
    """

    suffix: str = ".png"
    quality: int | None = None
    background: str = "white"
    keeps_metadata: bool = False

    def __post_init__(self) -> None:
        if self.suffix not in SUFFIXES:
            raise InputError(f"{self.suffix or 'no suffix'}: choose one of {', '.join(SUFFIXES)}")
        if self.quality is not None and not self._lossy:
            raise InputError(f"--quality: {self.suffix} has none; leave it out, or choose .jpg or .webp")
        if self.keeps_metadata and STILLS.get(self.suffix) not in WITH_EXIF:
            raise InputError(f"--keep-metadata: {self.suffix} is written without; leave it out, or choose .png or .jpg")

    @property
    def keeps_alpha(self) -> bool:
        """Whether transparent pixels stay transparent."""
        return STILLS.get(self.suffix) != "JPEG"

    @property
    def by_rows(self) -> bool:
        """Whether still pictures are written as their rows come, so that memory does not grow with them."""
        return STILLS.get(self.suffix) in BY_ROWS

    @property
    def _lossy(self) -> bool:
        return STILLS.get(self.suffix) in ("JPEG", "WEBP")

    def check(self, height: int, width: int) -> None:
        """Raise InputError if a still picture of this size cannot be written, by its format or for want of memory."""
        kind = STILLS.get(self.suffix)
        if kind is None:
            raise InputError(f"is no animation; {self.suffix} is for animations: choose one of {', '.join(STILLS)}")
        _check_sides(height, width, kind)
        needed, free = height * width * IN_MEMORY, available_memory()
        if not self.by_rows and free is not None and needed > free:
            raise InputError(
                f"{width} x {height} pixels need {needed / 1e9:.1f} GB of memory as {kind}, and {free / 1e9:.1f} GB "
                "are free; write .png or .tif, which take rows as they come"
            )

    def write(self, file: BinaryIO, picture: Banded, exif: bytes = b"") -> None:
        """Write a still picture to `file`, which is empty and, for TIFF, can be sought.

        Args:
            file: what is written to it while the bands of the picture come, if the format is one of `BY_ROWS`.
            picture: is flattened onto the background if the format has no alpha.
            exif: metadata, in the format of TIFF; empty for none.

        Raises:
            InputError: the format cannot hold it.
        """
        self.check(picture.height, picture.width)
        kind = STILLS[self.suffix]
        if not self.keeps_alpha and picture.channels in (2, 4):
            bands = (_flattened(band, self.background) for band in picture.bands)
            picture = replace(picture, channels=picture.channels - 1, bands=bands)
        if kind == "PNG":
            write_png(file, picture, exif)
        elif kind == "TIFF":
            write_tiff(file, picture)
        else:
            settings = {"exif": EXIF_HEADER + exif} if exif else {}
            _canvas(picture).save(file, kind, **settings, **self._settings(kind))

    def still(self, picture: Picture) -> bytes:
        """The file of one picture. Raises InputError if the format cannot hold it."""
        file = io.BytesIO()
        self.write(file, picture.banded())
        return file.getvalue()

    def animation(self, frames: Sequence[tuple[Picture, int]], plays: int = 0) -> bytes:
        """The file of an animation: frames with durations in milliseconds, shown `plays` times; 0 for without an end.

        Equal consecutive frames become one of longer duration.

        Raises:
            InputError: the format cannot hold it.
        """
        kind = ANIMATIONS.get(self.suffix)
        if kind is None:
            raise InputError(f"is an animation; {self.suffix} holds one picture: choose one of {', '.join(ANIMATIONS)}")
        _check_sides(*frames[0][0].size, kind)
        first, *others = [_palette(picture) if kind == "GIF" else picture.to_pillow() for picture, _ in frames]
        settings = self._settings(kind) | {"duration": [duration for _, duration in frames]}
        if kind != "GIF":
            settings["loop"] = plays
        elif plays != 1:  # a GIF counts repetitions
            settings["loop"] = max(plays - 1, 0)
        return _saved(first, kind, save_all=True, append_images=others, **settings)

    def _settings(self, kind: str) -> dict[str, Any]:
        if kind == "JPEG":
            return {"quality": self.quality or QUALITY, "subsampling": 0}
        if kind == "WEBP":
            return {"lossless": True, "exact": True} if self.quality is None else {"quality": self.quality}
        if kind == "GIF":  # a frame replaces the one before it, whose pixels would show through
            return {"disposal": 2, "optimize": False}
        return {"compress_level": LEVEL}


def _check_sides(height: int, width: int, kind: str) -> None:
    if max(height, width) > MOST[kind]:
        raise InputError(f"{width} x {height} pixels; {kind} has at most {MOST[kind]:,} per side; write .png")


def _flattened(band: Band, background: str) -> Band:
    return Picture(band[..., :-1], band[..., -1]).flattened(background).colours


def _canvas(picture: Banded) -> Any:
    """A Pillow image with all bands."""
    from PIL import Image  # noqa: PLC0415

    canvas, top = Image.new(MODES[picture.channels], (picture.width, picture.height)), 0
    for band in picture.bands:
        canvas.paste(Image.fromarray(band[..., 0] if picture.channels == 1 else band), (0, top))
        top += len(band)
    return canvas


def _palette(picture: Picture) -> Any:
    """A frame of a GIF: 255 colours of its own, without dithering; pixels that are half transparent or more are so."""
    from PIL import Image  # noqa: PLC0415

    reduced = Picture(picture.in_colour().colours).to_pillow().quantize(COLOURS, dither=Image.Dither.NONE)
    if picture.alpha is None:
        return reduced
    indices = np.where(picture.alpha < HALF, COLOURS, np.asarray(reduced)).astype(np.uint8)
    frame = Image.frombytes("P", reduced.size, indices.tobytes())
    colours = (reduced.getpalette() or [])[: 3 * COLOURS]
    frame.putpalette([*colours, *[0] * (768 - len(colours))])
    frame.info["transparency"] = COLOURS
    return frame


def _saved(image: Any, kind: str, **settings: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **settings)
    return file.getvalue()
