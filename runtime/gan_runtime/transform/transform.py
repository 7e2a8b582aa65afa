"""One file through a model: decode, prepare, run, encode."""

import threading
from dataclasses import dataclass, replace

import numpy as np

from gan_runtime.errors import DataError, InputError
from gan_runtime.images.decoding import NO_MEMORY, Notice, no_notice
from gan_runtime.images.remarks import TRANSPARENT
from gan_runtime.images.whole import Contents, Picture, WholeDecoder, resized_sides
from gan_runtime.tiling import Done, Pixels
from gan_runtime.transform.compare import side_by_side
from gan_runtime.transform.model import PictureModel
from gan_runtime.transform.parallel import Budget, in_order
from gan_runtime.transform.preparation import check_tile, preparation
from gan_runtime.transform.settings import Settings

MOST_PIXELS = 300_000_000  # of the inputs and outputs in memory at a time
MOST_ANIMATIONS = 2  # at a time: the frames of one are run by all threads while another one is encoded


class Stopped(Exception):
    """The work was given up before its end."""


@dataclass(frozen=True)
class Made:
    """The file that was made of another one, and how."""

    content: bytes
    frames: int = 1
    in_tiles: bool = False


class Transform:
    """A model and what else is done with each picture. Any number of threads may use it at once."""

    def __init__(self, model: PictureModel, settings: Settings) -> None:
        """Check the settings.

        Raises:
            InputError: they do not fit the model.
        """
        self.model, self.settings = model, settings
        mode, self._prepare = preparation(model, settings.prepare)
        self._decoder = WholeDecoder(replace(settings.reading, mode=mode))
        self._truth = WholeDecoder(replace(settings.reading, mode="RGB"))
        check_tile(model, settings.tile)
        self._memory = Budget(MOST_PIXELS)
        self._runs = threading.BoundedSemaphore(model.threads if model.device == "cpu" else 1)
        self._animations = threading.BoundedSemaphore(MOST_ANIMATIONS)
        self._stopped = threading.Event()

    @property
    def workers(self) -> int:
        """Threads that keep the model busy: one of them decodes or encodes while the others run it."""
        return self.model.threads + 1

    def stop(self) -> None:
        """Let all threads end with `Stopped` before their next tile, soon, and for good."""
        self._stopped.set()

    def parts(self, content: bytes) -> str:
        """What the parts of a file are, for progress: "tiles" or "frames". Raises DataError as a call."""
        return "frames" if self._decoder.contents(content).frames > 1 else "tiles"

    def __call__(
        self, content: bytes, truth: bytes | None = None, done: Done | None = None, notice: Notice = no_notice
    ) -> Made:
        """The output for the file `content`.

        Args:
            content: a picture or an animation.
            truth: the picture that the output should be, to be shown beside it.
            done: called with the number of tiles, or frames of an animation, that are done, and of all.
            notice: called with remarks on the picture.

        Raises:
            DataError: the file cannot be decoded.
            InputError: the model does not take it, or the format of the output cannot hold the result.
            DeviceError: the device fails.
        """
        found = self._decoder.contents(content)
        if found.frames > 1 and truth is not None:
            raise InputError("is an animation, and has no truth to compare with; leave it out, or --truth")
        height, width = self._size(found)
        pixels = max(found.pixels, found.frames * height * width)
        in_tiles = self.model.in_tiles(height, width, self.settings.tile)
        try:
            with self._memory.taken(pixels * (1 + self.model.scale**2)):
                if found.frames > 1:
                    return Made(self._animation(content, found, done, notice), found.frames, in_tiles)
                return Made(self._still(content, truth, done, notice), in_tiles=in_tiles)
        except MemoryError:
            raise DataError(NO_MEMORY) from None

    def _size(self, found: Contents) -> tuple[int, int]:
        """Height and width of the inputs of the model for a file. Raises InputError if `size` makes them too large."""
        sides, size = (found.height, found.width), self.settings.size
        if size is None:
            return sides
        height, width = resized_sides(sides, size)
        most = self.settings.reading.max_pixels
        if found.frames * height * width > most:
            raise InputError(f"would have more than {most:,} pixels in this size; choose a smaller --size")
        return height, width

    def _sized(self, picture: Picture) -> Picture:
        return picture if self.settings.size is None else picture.resized(self.settings.size)

    def _still(self, content: bytes, truth: bytes | None, done: Done | None, notice: Notice) -> bytes:
        picture = self._sized(self._decoder.picture(content, notice))
        if picture.alpha is not None and (self.settings.compare or not self.settings.encoding.keeps_alpha):
            notice(TRANSPARENT, 0)
        beside = None if truth is None else self._sized(self._truth.picture(truth))
        return self.settings.encoding.still(self._made_of(picture, beside, done))

    def _animation(self, content: bytes, found: Contents, done: Done | None, notice: Notice) -> bytes:
        def frame(shown: tuple[Picture, int]) -> tuple[Picture, int]:
            return self._made_of(self._sized(shown[0])), shown[1]

        frames = []
        with self._animations:
            for made in in_order(frame, self._decoder.frames(content, notice), self.workers, self.stop):
                frames.append(made)
                if done:
                    done(len(frames), found.frames)
        return self.settings.encoding.animation(frames, found.plays)

    def _made_of(self, picture: Picture, truth: Picture | None = None, done: Done | None = None) -> Picture:
        background = self.settings.reading.background
        source = self._prepare(picture.filled(background).colours)
        self.model.check(source)
        made = Picture(self._run(source, done), _enlarged(picture.alpha, self.model.scale))
        if not self.settings.compare:
            return made
        if truth is None and self.settings.prepare:
            truth = picture  # what the input was made of
        shown = [Picture(source, picture.alpha), made, *([truth] if truth else [])]
        return side_by_side([part.flattened(background) for part in shown])

    def _run(self, source: Pixels, done: Done | None) -> Pixels:
        def after_tile(part: int, of: int) -> None:
            if self._stopped.is_set():
                raise Stopped
            if done:
                done(part, of)

        with self._runs:
            if self._stopped.is_set():
                raise Stopped
            return self.model.run(source, self.settings.tile, after_tile)


def _enlarged(alpha: Pixels | None, scale: int) -> Pixels | None:
    if alpha is None or scale == 1:
        return alpha
    from PIL import Image  # noqa: PLC0415

    height, width = alpha.shape
    size = width * scale, height * scale
    return np.asarray(Image.fromarray(alpha).resize(size, Image.Resampling.BICUBIC), np.uint8)
