"""The model of a job on one picture after another: so many at a time, in bands, until it is stopped."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass

from gan_runtime.images.bands import Banded
from gan_runtime.images.whole import Picture
from gan_runtime.tiling import Done, Pixels
from gan_runtime.transform.bands import RunBands, through
from gan_runtime.transform.model import PictureModel


class Stopped(Exception):
    """The work was given up before its end."""


@dataclass
class Made:
    """How a file was made of another one.

    Attributes:
        frames: of an animation; 1 for a still picture.
        side: the largest side of a tile in pixels of the input; None for whole pictures.
        tiles: that were run.
        pixels: of all frames of the output.
    """

    frames: int = 1
    side: int | None = None
    tiles: int = 0
    pixels: int = 0

    @property
    def in_tiles(self) -> bool:
        """Whether a frame was run in more than one tile."""
        return self.tiles > self.frames


class Runner:
    """A model that any number of threads may use at once, of which as many run it as it allows."""

    def __init__(self, model: PictureModel, *, alpha_by_network: bool = False) -> None:
        self.model, self._alpha_by_network = model, alpha_by_network
        self._turns = threading.BoundedSemaphore(model.runs)
        self._stopped = threading.Event()
        self._counting = threading.Lock()

    def stop(self) -> None:
        """Let all threads end with `Stopped` before their next tile, soon, and for good."""
        self._stopped.set()

    def run(self, picture: Picture, made: Made, done: Done | None = None) -> Banded:
        """The result for a picture, in bands that are computed as they are taken, its alpha as the last channel.

        Args:
            picture: of a size that the model takes.
            made: has the side of the tiles, which are counted there.
            done: called after each tile with the number of those that are done, and of all.

        Raises:
            InputError: the model does not take pictures of this size.
            DeviceError, Stopped: when bands are taken.
        """
        self.model.check(*picture.size)

        def after_tile(part: int, of: int) -> None:
            self._check()
            with self._counting:
                made.tiles += 1
            if done:
                done(part, of)

        run, run_alpha = self._in_turn(made, after_tile), self._in_turn(made, lambda part, of: self._check())
        return through(self.model, picture, run, run_alpha if self._alpha_by_network else None)

    def _in_turn(self, made: Made, after_tile: Done) -> RunBands:
        """The model, each of whose bands is computed when a thread may run it."""

        def run(pixels: Pixels) -> Iterator[Pixels]:
            bands = self.model.run(pixels, made.side or 0, after_tile)
            while True:
                with self._turns:
                    self._check()
                    band = next(bands, None)
                if band is None:
                    return
                yield band

        return run

    def _check(self) -> None:
        if self._stopped.is_set():
            raise Stopped
