"""Decode pictures at their own size, with their alpha, and animations frame by frame."""

from collections.abc import Iterator
from dataclasses import field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gan_runtime.errors import DataError
from gan_runtime.images.bands import Banded, banded
from gan_runtime.images.colour import srgb_converter
from gan_runtime.images.decoding import Notice, blaming_the_file, in_srgb, no_notice, orientation_of, turned
from gan_runtime.images.gif import is_complete_gif
from gan_runtime.images.opening import Opened, open_picture
from gan_runtime.images.options import CHANNELS, PictureOptions
from gan_runtime.records import record

GREY = ("1", "L", "LA", "La")  # modes of Pillow
ROWS = 256  # that are converted at a time
ANIMATED = ("GIF", "WEBP", "PNG", "AVIF")  # several pictures in other formats are pages


@record(frozen=True)
class Picture:
    """A picture in sRGB, upright.

    Attributes:
        colours: uint8 [h, w, 1 or 3], not premultiplied.
        alpha: uint8 [h, w]; None if all pixels are opaque.
    """

    colours: NDArray[np.uint8]
    alpha: NDArray[np.uint8] | None = None

    @property
    def size(self) -> tuple[int, int]:
        """Height and width."""
        return self.colours.shape[0], self.colours.shape[1]

    def flattened(self, background: str) -> "Picture":
        """The opaque picture on a background of this colour."""
        if self.alpha is None:
            return self
        from PIL import Image  # noqa: PLC0415

        seen = self.in_colour().to_pillow()
        canvas = Image.new("RGBA", seen.size, background)
        canvas.alpha_composite(seen)
        flat = Picture(np.asarray(canvas)[..., :3])
        return flat if self.colours.shape[2] == 3 else flat.in_grey()

    def filled(self, background: str) -> "Picture":
        """The picture with `background` as the colour of the pixels that are fully transparent."""
        if self.alpha is None or self.alpha.all():
            return self
        from PIL import ImageColor  # noqa: PLC0415

        mode = "L" if self.colours.shape[2] == 1 else "RGB"
        colour = np.array(ImageColor.getcolor(background, mode), np.uint8)
        return replace(self, colours=np.where(self.alpha[..., None] == 0, colour, self.colours))

    def resized(self, shorter: int) -> "Picture":
        """The same with a shorter side of so many pixels (Lanczos)."""
        from PIL import Image  # noqa: PLC0415

        height, width = resized_sides(self.size, shorter)
        pixels = np.asarray(self.to_pillow().resize((width, height), Image.Resampling.LANCZOS))  # premultiplies
        pixels, channels = pixels.reshape(height, width, -1), self.colours.shape[2]
        return Picture(pixels[..., :channels], None if self.alpha is None else pixels[..., channels])

    def banded(self) -> Banded:
        """The picture as a single band, its alpha behind its colours."""
        pixels = self.colours if self.alpha is None else np.dstack([self.colours, self.alpha])
        return banded(pixels)

    def to_pillow(self) -> Any:
        """A Pillow image in mode L, LA, RGB or RGBA."""
        from PIL import Image  # noqa: PLC0415

        channels = self.colours if self.alpha is None else np.dstack([self.colours, self.alpha])
        return Image.fromarray(channels[..., 0] if channels.shape[2] == 1 else channels)

    def in_colour(self) -> "Picture":
        """The same with three channels."""
        return self if self.colours.shape[2] == 3 else replace(self, colours=self.colours.repeat(3, axis=2))

    def in_grey(self) -> "Picture":
        """The same with one channel, by the weights of ITU-R 601."""
        if self.colours.shape[2] == 1:
            return self
        from PIL import Image  # noqa: PLC0415

        return replace(self, colours=np.asarray(Image.fromarray(self.colours).convert("L"))[..., None])


def resized_alpha(alpha: NDArray[np.uint8] | None, size: tuple[int, int]) -> NDArray[np.uint8] | None:
    """An alpha uint8 [h, w] of this height and width (bicubic); itself if it has them."""
    if alpha is None or alpha.shape == size:
        return alpha
    from PIL import Image  # noqa: PLC0415

    return np.asarray(Image.fromarray(alpha).resize((size[1], size[0]), Image.Resampling.BICUBIC))


def resized_sides(size: tuple[int, int], shorter: int) -> tuple[int, int]:
    """Height and width, in the same ratio, whose shorter one is `shorter`."""
    height, width = (round(side * shorter / min(size)) for side in size)
    return height, width


@record(frozen=True)
class Contents:
    """What a file has in it, by its header.

    Attributes:
        height, width: of each frame, before it is turned upright.
        frames: 1 for a still picture.
        plays: how often an animation is shown; 0 for without an end.
        more: whether a still picture is the first one of several in the file.
    """

    height: int
    width: int
    frames: int = 1
    plays: int = 1
    more: bool = False

    @property
    def pixels(self) -> int:
        """Of all frames together."""
        return self.height * self.width * self.frames


@record(frozen=True)
class WholeDecoder:
    """Decodes files to pictures of `options.mode` at their own size; `options.size` has no effect.

    All methods take the content of a file, and raise DataError if it cannot be used. Any number of threads may call
    them at once.
    """

    options: PictureOptions
    keep_grey: bool = False
    """Grey pictures have one channel, whatever `options.mode` is."""
    _convert: Any = field(default_factory=srgb_converter, repr=False, compare=False)

    def contents(self, content: bytes, *, first: bool = False) -> Contents:
        """The size and the number of frames, without decoding; with `first`, an animation is taken for a picture.

        All frames together are limited to `max_pixels`.
        """
        with blaming_the_file():
            with self._open(content, animated=True).image as image:
                width, height = image.size
                more = first and getattr(image, "n_frames", 1) > 1
                frames = 1 if first else len(_frames(image))
                if image.format == "GIF" and frames > 1 and not is_complete_gif(content):
                    raise DataError("damaged: it ends before the end of the animation")
                found = Contents(height, width, frames, _plays(image) if frames > 1 else 1, more)
            if found.pixels > self.options.max_pixels:
                raise DataError(
                    f"{frames:,} frames of {width} x {height} pixels, more than {self.options.max_pixels:,} pixels: "
                    "shorten it, or set a higher --max-pixels"
                )
            return found

    def picture(self, content: bytes, notice: Notice = no_notice) -> Picture:
        """The picture in a file, the first one of several; `notice` is called with remarks on it."""
        with blaming_the_file():
            opened = self._open(content)
            with opened.image as image:
                return self._picture(image, *self._still(content, opened, notice))

    def loaded(self, image: Any, notice: Notice = no_notice) -> Picture:
        """An image that Pillow has opened or made; its current frame if it is an animation."""
        with blaming_the_file():
            opened = Opened(image.copy())
            return self._picture(image, *in_srgb(opened, lambda: opened, self.options, self._convert, notice))

    def frames(self, content: bytes, notice: Notice = no_notice) -> Iterator[tuple[Picture, int]]:
        """The frames of an animation, as they are shown, each with its duration in milliseconds."""
        with blaming_the_file():
            opened = self._open(content, animated=True)
            with opened.image as image:
                for index in _frames(image):
                    image.seek(index)
                    if index == 0:  # as a still picture: a GIF's may be smaller than its screen
                        colours, alpha = self._still(content, opened, notice)
                    else:
                        colours, alpha = _later_frame(image)
                        colours, _ = self._convert(colours, opened)
                    yield self._picture(image, colours, alpha), round(image.info.get("duration", 0))

    def _open(self, content: bytes, *, animated: bool = False) -> Opened:
        return open_picture(content, self.options.max_pixels, animated=animated)

    def _still(self, content: bytes, opened: Opened, notice: Notice) -> tuple[Any, Any]:
        return in_srgb(opened, lambda: self._open(content), self.options, self._convert, notice)

    def _picture(self, image: Any, colours: Any, alpha: Any) -> Picture:
        mode = "L" if self.keep_grey and is_grey(image) else self.options.mode
        orientation = orientation_of(image)
        pixels = turned(_pixels(colours, mode), orientation)
        if alpha is None or alpha.getextrema()[0] == 255:
            return Picture(pixels)
        return Picture(pixels, turned(_pixels(alpha, "L"), orientation)[..., 0])


def _pixels(image: Any, mode: str) -> NDArray[np.uint8]:
    """The pixels of a Pillow image in mode L or RGB, uint8 [h, w, c], converted without a copy of the whole."""
    width, height = image.size
    found = np.empty((height, width, CHANNELS[mode]), np.uint8)
    for top in range(0, height, ROWS):
        bottom = min(top + ROWS, height)
        part = np.asarray(image.crop((0, top, width, bottom)).convert(mode))
        found[top:bottom] = part.reshape(bottom - top, width, -1)
    return found


def is_grey(image: Any) -> bool:
    """Whether a loaded image has no colours: by its mode, or because all those of its palette are grey."""
    if image.mode in ("P", "PA"):
        palette = np.reshape(image.getpalette() or [], (-1, 3))
        return bool((palette == palette[:, :1]).all())
    return image.mode in GREY or image.mode.startswith(("I", "F"))


def _frames(image: Any) -> range:
    """The indices of the frames of an animation, [0] of a still picture.

    An animated PNG may have a still image before its frames, for viewers that do not show animations.
    """
    count = getattr(image, "n_frames", 1) if image.format in ANIMATED else 1
    first = int(count > 1 and bool(getattr(image, "default_image", False)))
    return range(first, count)


def _plays(image: Any) -> int:
    loop = image.info.get("loop")
    if image.format == "GIF":  # counts repetitions, and says nothing of an animation that is shown once
        return 1 if loop is None else loop + (loop > 0)
    return int(loop or 0)


def _later_frame(image: Any) -> tuple[Any, Any]:
    """Colours in mode L or RGB, and the alpha or None, of a frame that Pillow composes with those before it."""
    image.load()
    if image.mode.startswith(("I", "F")):
        raise DataError("an animation with more than 8 bits of grey is not read; convert it first")
    if image.has_transparency_data:
        shown = image.convert("RGBA")
        return shown.convert("RGB"), shown.getchannel("A")
    return (image if image.mode in ("L", "RGB") else image.convert("RGB")), None
