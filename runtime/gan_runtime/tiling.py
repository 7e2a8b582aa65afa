"""Run a network on a large picture in tiles.

An output pixel depends on `context` input pixels on each side. A tile is read with so many pixels beyond what is kept
of it, and begins at a multiple of the network's stride, so that it gives the values that the whole picture gives. If
the context is not finite, neighbouring tiles overlap by `BLEND` pixels, where one fades into the other.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import product
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from gan_runtime.errors import InputError
from gan_runtime.manifest import Tiling

WINDOW = 512  # pixels, the usual side of a tile
BLENDED_WINDOW = 1024  # of a tile that is blended: the statistics of a larger one are closer to the picture's
BLEND = 64  # pixels

Pixels: TypeAlias = NDArray[np.uint8]
"""One picture, uint8 [h, w, c]."""
Run: TypeAlias = Callable[[Pixels], Pixels]
"""A network as a function of one picture, whose result is `scale` times as high and as wide."""
Done: TypeAlias = Callable[[int, int], Any]
"""What is called after each tile: with the number of tiles that are done, and of all tiles."""


@dataclass(frozen=True)
class Span:
    """A tile along one axis, in pixels of the input: `start` to `stop` is read, `first` to `last` is kept."""

    start: int
    stop: int
    first: int
    last: int

    def kept(self, scale: int) -> slice:
        """What is kept, in the result for the tile."""
        return slice((self.first - self.start) * scale, (self.last - self.start) * scale)

    def place(self, scale: int) -> slice:
        """Where that belongs, in the result for the picture."""
        return slice(self.first * scale, self.last * scale)


def least_window(tiling: Tiling) -> int:
    """The smallest side of a tile, in pixels of the input."""
    return max(_overlap(tiling), _rounded(tiling.least, tiling.multiple)) + tiling.multiple


def usual_window(tiling: Tiling, side: int = WINDOW) -> int:
    """The side of a tile if none is asked for: `side`, or more for a network of large context."""
    overlap = _overlap(tiling)
    usual = BLENDED_WINDOW if tiling.context is None else max(side, overlap + min(overlap, side))
    return max(usual, least_window(tiling))


def spans(length: int, window: int, tiling: Tiling) -> list[Span]:
    """Tiles of at most `window` pixels, in order, whose kept parts cover an axis of `length` pixels.

    The last one begins early enough to be as long as the others, because the graph pads what is shorter than `least`.

    Raises:
        InputError: `window` is too small for the network.
    """
    if window < least_window(tiling):
        raise InputError(f"tile {window}: too small for this network, which needs at least {least_window(tiling)}")
    if length <= window:
        return [Span(0, length, 0, length)]
    m, overlap = tiling.multiple, _overlap(tiling)
    size, blended = window // m * m, tiling.context is None
    cut = 0 if blended else overlap // 2
    found: list[Span] = []
    for start in (*range(0, length - size, size - overlap), _rounded(length - size, m)):
        stop = min(start + size, length)
        first = start if blended or not found else found[-1].last
        found.append(Span(start, stop, first, stop if stop == length else stop - cut))
    return found


def run_in_tiles(
    picture: Pixels,
    run: Run,
    window: int,
    tiling: Tiling,
    scale: int = 1,
    mapped: Callable[[Run, Iterable[Pixels]], Iterable[Pixels]] = map,
    done: Done | None = None,
) -> Pixels:
    """The result of `run` for a picture, computed in tiles.

    Args:
        picture: uint8 [h, w, c].
        run: the network. Its results are equal for the same tile.
        window: side of a tile; `usual_window` if in doubt. It limits the memory of the network.
        tiling: facts about the network.
        scale: how many times larger the result is.
        mapped: as `map`, perhaps with several threads.
        done: called after each tile.

    Returns:
        uint8 [scale * h, scale * w, c'].

    Raises:
        InputError: `window` is too small for the network.
    """
    height, width = picture.shape[:2]
    rows, columns = spans(height, window, tiling), spans(width, window, tiling)
    fade = _overlap(tiling) * scale if tiling.context is None else 0
    parts = (picture[row.start : row.stop, column.start : column.stop] for row, column in product(rows, columns))
    numbered = enumerate(mapped(run, parts), 1)
    whole: Pixels | None = None
    for row in rows:
        strip: Pixels | None = None
        for column in columns:
            number, tile = next(numbered)
            kept = tile[row.kept(scale), column.kept(scale)]
            if strip is None:
                strip = np.empty((len(kept), width * scale, kept.shape[2]), np.uint8)
            _lay(kept, strip[:, column.place(scale)], 1, fade if column.first else 0)
            if done:
                done(number, len(rows) * len(columns))
        assert strip is not None
        if whole is None:
            whole = np.empty((height * scale, *strip.shape[1:]), np.uint8)
        _lay(strip, whole[row.place(scale)], 0, fade if row.first else 0)
    assert whole is not None
    return whole


def _lay(part: Pixels, place: Pixels, axis: int, fade: int) -> None:
    """Write `part` to `place`; over its first `fade` pixels along `axis` it fades in over what is there."""
    under, over = (np.moveaxis(pixels, axis, 0) for pixels in (place, part))
    weights = (np.arange(fade, dtype=np.float32)[:, None, None] + 0.5) / max(1, fade)
    under[:fade] = np.rint(under[:fade] + (over[:fade] - under[:fade].astype(np.float32)) * weights)
    under[fade:] = over[fade:]


def _overlap(tiling: Tiling) -> int:
    """Pixels that neighbouring tiles have in common, a multiple of the stride."""
    if tiling.context is None:
        return _rounded(BLEND, tiling.multiple)
    return 2 * _rounded(tiling.context, tiling.multiple)


def _rounded(length: int, multiple: int) -> int:
    """`length`, rounded up to a multiple."""
    return -(-length // multiple) * multiple
