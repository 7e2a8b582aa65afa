"""Write pictures with alpha as PNG, JPEG or WebP, and animations as PNG, WebP or GIF."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gan_runtime.errors import InputError
from gan_runtime.images.whole import Picture

STILLS = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP"}
ANIMATIONS = {".png": "PNG", ".apng": "PNG", ".webp": "WEBP", ".gif": "GIF"}
SUFFIXES = tuple(dict.fromkeys((*STILLS, *ANIMATIONS)))
MOST = {"JPEG": 65500, "WEBP": 16383, "GIF": 65535}  # pixels per side; of JPEG, what libjpeg writes
QUALITY = 95  # of JPEG
# Level 1 takes half the time of Pillow's default level for large pictures, whose files grow by a tenth.
COMPRESS_LEVEL = 1
COLOURS = 255  # of a frame of a GIF, and one index for transparent pixels
HALF = 128  # the least alpha of a pixel that a GIF shows


@dataclass(frozen=True)
class Encoding:
    """How pictures are written.

    Attributes:
        suffix: a key of `STILLS` or `ANIMATIONS`.
        quality: 1 to 100, of JPEG and of lossy WebP. None: `QUALITY` for JPEG; WebP is lossless.
        background: the colour behind transparent pixels in JPEG, which has no alpha.

    Raises:
        InputError: the suffix is unknown, or has no quality.
    """

    suffix: str = ".png"
    quality: int | None = None
    background: str = "white"

    def __post_init__(self) -> None:
        if self.suffix not in SUFFIXES:
            raise InputError(f"{self.suffix or 'no suffix'}: choose one of {', '.join(SUFFIXES)}")
        if self.quality is not None and not self._lossy:
            raise InputError(f"--quality: {self.suffix} has none; leave it out, or choose .jpg or .webp")

    @property
    def keeps_alpha(self) -> bool:
        """Whether transparent pixels stay transparent."""
        return STILLS.get(self.suffix) != "JPEG"

    @property
    def _lossy(self) -> bool:
        return STILLS.get(self.suffix) in ("JPEG", "WEBP")

    def still(self, picture: Picture) -> bytes:
        """The file of one picture. Raises InputError if the format cannot hold it."""
        kind = STILLS.get(self.suffix)
        if kind is None:
            raise InputError(f"is no animation; {self.suffix} is for animations: choose one of {', '.join(STILLS)}")
        _check_sides(picture, kind)
        if not self.keeps_alpha:
            picture = picture.flattened(self.background)
        return _saved(picture.to_pillow(), kind, **self._settings(kind))

    def animation(self, frames: Sequence[tuple[Picture, int]], plays: int = 0) -> bytes:
        """The file of an animation: frames with durations in milliseconds, shown `plays` times; 0 for without an end.

        Equal consecutive frames become one of longer duration.

        Raises:
            InputError: the format cannot hold it.
        """
        kind = ANIMATIONS.get(self.suffix)
        if kind is None:
            raise InputError(f"is an animation; {self.suffix} holds one picture: choose one of {', '.join(ANIMATIONS)}")
        _check_sides(frames[0][0], kind)
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
        return {"compress_level": COMPRESS_LEVEL}


def _check_sides(picture: Picture, kind: str) -> None:
    height, width = picture.size
    if max(height, width) > MOST.get(kind, height + width):
        raise InputError(f"{width} x {height} pixels; {kind} has at most {MOST[kind]:,} per side; write .png")


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
