"""One file through a model: decode, prepare, run, encode."""

import math
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import replace
from typing import Any, BinaryIO

import numpy as np

from gan_runtime.errors import DataError, InputError
from gan_runtime.images.bands import Banded
from gan_runtime.images.decoding import NO_MEMORY, Notice, no_notice
from gan_runtime.images.metadata import exif_of
from gan_runtime.images.remarks import FIRST, TRANSPARENT
from gan_runtime.images.whole import Contents, Picture, WholeDecoder, resized_sides
from gan_runtime.outputs.prefetch import prefetch
from gan_runtime.tiling import Done
from gan_runtime.transform.compare import side_by_side
from gan_runtime.transform.model import PictureModel
from gan_runtime.transform.parallel import Budget, in_order
from gan_runtime.transform.preparation import check_tile, preparation
from gan_runtime.transform.running import Made, Runner
from gan_runtime.transform.settings import NETWORK, Settings
from gan_runtime.transform.tiles import BANDS, AutoTile

MOST_PIXELS = 300_000_000  # of the inputs and outputs in memory at a time
AHEAD = 1  # bands that wait to be encoded
MOST_ANIMATIONS = 2  # at a time: the frames of one are run by all threads while another one is encoded

Out = Callable[[], AbstractContextManager[BinaryIO]]
"""Opens the file that is to be written, which is empty."""


class Transform:
    """A model and what else is done with each picture. Any number of threads may use it at once.

    It is pickled as the path of the model, which is opened again, and the settings.
    """

    def __init__(self, model: PictureModel, settings: Settings) -> None:
        """Check the settings.

        Raises:
            InputError: they do not fit the model.
        """
        self.model, self.settings = model, settings
        mode, self._prepare = preparation(model, settings.prepare)
        self._decoder = WholeDecoder(replace(settings.reading, mode=mode), keep_grey=model.keeps_grey)
        self._truth = WholeDecoder(replace(settings.reading, mode="RGB"))
        check_tile(model, settings.tile)
        self._auto, self._runner = AutoTile(model), Runner(model, alpha_by_network=settings.alpha == NETWORK)
        self._memory = Budget(MOST_PIXELS)
        self._animations = threading.BoundedSemaphore(MOST_ANIMATIONS)

    def __reduce__(self) -> tuple[Any, ...]:
        return Transform, (self.model, self.settings)

    @property
    def workers(self) -> int:
        """Threads that keep the model busy: one of them decodes or encodes while the others run it."""
        return self.model.threads + 1

    def stop(self) -> None:
        """Let all threads end with `Stopped` before their next tile, soon, and for good."""
        self._runner.stop()

    def parts(self, content: bytes) -> str:
        """What the parts of a file are, for progress: "tiles" or "frames". Raises DataError as a call."""
        return "frames" if self._contents(content).frames > 1 else "tiles"

    def __call__(
        self,
        content: bytes,
        out: Out,
        truth: bytes | None = None,
        done: Done | None = None,
        notice: Notice = no_notice,
    ) -> Made:
        """Write the output for the file `content`.

        Args:
            content: a picture or an animation.
            out: opens the file that the output is written to, once the picture is decoded.
            truth: the picture that the output should be, to be shown beside it.
            done: called with the number of tiles, or frames of an animation, that are done, and of all.
            notice: called with remarks on the picture.

        Raises:
            DataError: the file cannot be decoded.
            InputError: the model does not take it, or the format of the output cannot hold the result.
            DeviceError: the device fails.
        """
        found = self._contents(content)
        if found.more:
            notice(FIRST, 0)
        if found.frames > 1 and truth is not None:
            raise InputError("is an animation, and has no truth to compare with; leave it out, or --truth")
        sides = self._size(found)
        tile = self._auto.side(*sides) if self.settings.tile is None else self.settings.tile
        made = Made(found.frames, tile or None)
        try:
            with self._memory.taken(self._in_memory(found, sides, made)):
                if found.frames > 1:
                    self._animation(content, out, found, made, done, notice)
                else:
                    self._still(content, out, truth, made, done, notice)
        except MemoryError:
            raise DataError(NO_MEMORY) from None
        return made

    def _contents(self, content: bytes) -> Contents:
        return self._decoder.contents(content, first=self.settings.first)

    def _size(self, found: Contents) -> tuple[int, int]:
        """Height and width of the inputs of the model for a file.

        Raises:
            InputError: `size` makes them too large, or the output cannot be written.
        """
        sides, size = (found.height, found.width), self.settings.size
        if size is not None:
            sides = resized_sides(sides, size)
            most = self.settings.reading.max_pixels
            if found.frames * sides[0] * sides[1] > most:
                raise InputError(f"would have more than {most:,} pixels in this size; choose a smaller --size")
        if found.frames == 1:
            self.settings.encoding.check(*(side * self.model.scale for side in sides))
        return sides

    def _in_memory(self, found: Contents, sides: tuple[int, int], made: Made) -> int:
        """The pixels of the input and output that are in memory at a time."""
        height, width = sides
        pixels = found.frames * height * width
        at_a_time = pixels
        if found.frames == 1 and self.settings.encoding.by_rows and made.side:
            at_a_time = min(pixels, BANDS * made.side * max(height, width))
        return max(found.pixels, pixels) + at_a_time * self.model.scale**2

    def _sized(self, picture: Picture) -> Picture:
        return picture if self.settings.size is None else picture.resized(self.settings.size)

    def _still(
        self, content: bytes, out: Out, truth: bytes | None, made: Made, done: Done | None, notice: Notice
    ) -> None:
        settings = self.settings
        picture = self._sized(self._decoder.picture(content, notice))
        if picture.alpha is not None and (settings.compare or not settings.encoding.keeps_alpha):
            notice(TRANSPARENT, 0)
        beside = None if truth is None else self._sized(self._truth.picture(truth))
        result = (
            self._compared(picture, made, done, beside).banded() if settings.compare else self._run(picture, made, done)
        )
        made.pixels = result.height * result.width
        exif = exif_of(content, *result.size, settings.reading.max_pixels) if settings.encoding.keeps_metadata else b""
        with closing(prefetch(iter(result.bands), AHEAD, self.stop)) as bands, self._ending_soon(), out() as file:
            settings.encoding.write(file, replace(result, bands=bands), exif)

    @contextmanager
    def _ending_soon(self) -> Iterator[None]:
        """Stop the model if the program is interrupted in the block: what it computes ahead is not waited for."""
        try:
            yield
        except (KeyboardInterrupt, SystemExit):
            self.stop()
            raise

    def _animation(
        self, content: bytes, out: Out, found: Contents, made: Made, done: Done | None, notice: Notice
    ) -> None:
        def frame(shown: tuple[Picture, int]) -> tuple[Picture, int]:
            picture, duration = self._sized(shown[0]), shown[1]
            return (self._compared if self.settings.compare else self._whole)(picture, made), duration

        frames: list[tuple[Picture, int]] = []
        with self._animations:
            for shown in in_order(frame, self._decoder.frames(content, notice), self.workers, self.stop):
                frames.append(shown)
                if done:
                    done(len(frames), found.frames)
        made.pixels = sum(math.prod(picture.size) for picture, _ in frames)
        encoded = self.settings.encoding.animation(frames, found.plays)
        with out() as file:
            file.write(encoded)

    def _compared(
        self, picture: Picture, made: Made, done: Done | None = None, truth: Picture | None = None
    ) -> Picture:
        """Input, output and truth side by side."""
        result = self._whole(picture, made, done)
        if truth is None and self.settings.prepare:
            truth = picture  # what the input was made of
        shown = [self._prepared(picture), result, *([truth] if truth else [])]
        return side_by_side([part.flattened(self.settings.reading.background) for part in shown])

    def _whole(self, picture: Picture, made: Made, done: Done | None = None) -> Picture:
        pixels = np.concatenate(list(self._run(picture, made, done).bands))
        return Picture(pixels) if picture.alpha is None else Picture(pixels[..., :-1], pixels[..., -1])

    def _run(self, picture: Picture, made: Made, done: Done | None) -> Banded:
        return self._runner.run(self._prepared(picture), made, done)

    def _prepared(self, picture: Picture) -> Picture:
        """The input of the model."""
        background = self.settings.reading.background
        seen = picture.flattened(background) if self.settings.prepare else picture.filled(background)
        return replace(picture, colours=self._prepare(seen.colours))
