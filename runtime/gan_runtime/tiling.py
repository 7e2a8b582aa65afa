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


def usual_window(tiling: Tiling) -> int:
    """The side of a tile if none is asked for. A network of large context gets larger tiles."""
    overlap = _overlap(tiling)
    usual = BLENDED_WINDOW if tiling.context is None else max(WINDOW, overlap + min(overlap, WINDOW))
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
    size, cut = window // m * m, 0 if tiling.context is None else overlap // 2
    found: list[Span] = []
    for start in (*range(0, length - size, size - overlap), _rounded(length - size, m)):
        stop = min(start + size, length)
        first = found[-1].last if found and cut else start
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
    places = list(product(spans(height, window, tiling), spans(width, window, tiling)))
    fade = _overlap(tiling) * scale if tiling.context is None else 0
    tiles = mapped(run, (picture[row.start : row.stop, column.start : column.stop] for row, column in places))
    whole: Pixels | None = None
    for number, ((row, column), tile) in enumerate(zip(places, tiles, strict=True), 1):
        if whole is None:
            whole = np.empty((height * scale, width * scale, tile.shape[2]), np.uint8)
        _lay(tile, whole, row, column, scale, fade)
        if done:
            done(number, len(places))
    assert whole is not None
    return whole


def _lay(tile: Pixels, whole: Pixels, row: Span, column: Span, scale: int, fade: int) -> None:
    """Lay what is kept of a tile over the whole; its upper and left edges fade in over `fade` pixels."""
    kept, place = tile[row.kept(scale), column.kept(scale)], whole[row.place(scale), column.place(scale)]
    if fade and (row.first or column.first):
        vertical, horizontal = (
            _ramp(length, fade if span.first else 0) for span, length in zip((row, column), kept.shape, strict=False)
        )
        weights = np.outer(vertical, horizontal)[..., None]
        kept = np.rint(place + (kept - place.astype(np.float32)) * weights).astype(np.uint8)
    place[:] = kept


def _ramp(length: int, fade: int) -> NDArray[np.float32]:
    """Weights float32 [length]: rising over the first `fade` of them, 1 after that."""
    weights = np.ones(length, np.float32)
    weights[:fade] = (np.arange(min(fade, length), dtype=np.float32) + 0.5) / fade if fade else 1.0
    return weights


def _overlap(tiling: Tiling) -> int:
    """Pixels that neighbouring tiles have in common, a multiple of the stride."""
    if tiling.context is None:
        return _rounded(BLEND, tiling.multiple)
    return 2 * _rounded(tiling.context, tiling.multiple)


def _rounded(length: int, multiple: int) -> int:
    """`length`, rounded up to a multiple."""
    return -(-length // multiple) * multiple
