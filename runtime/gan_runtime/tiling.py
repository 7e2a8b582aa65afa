"""Run a network on a large picture in tiles.

An output pixel depends on `context` input pixels on each side. A tile is read with so many pixels beyond what is kept
of it, and begins at a multiple of the network's stride, so that it gives the values that the whole picture gives. If
the context is not finite, neighbouring tiles overlap by `BLEND` pixels, where one fades into the other.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from itertools import islice, product
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from gan_runtime.errors import InputError
from gan_runtime.manifest import Tiling
from gan_runtime.records import record

WINDOW = 512  # pixels, the usual side of a tile
BLENDED_WINDOW = 1024  # of a tile that is blended: the statistics of a larger one are closer to the picture's
BLEND = 64  # pixels

Pixels: TypeAlias = NDArray[np.uint8]
"""One picture, uint8 [h, w, c]."""
Run: TypeAlias = Callable[[Pixels], Pixels]
"""A network as a function of one picture, whose result is `scale` times as high and as wide."""
Mapped: TypeAlias = Callable[[Run, Iterable[Pixels]], Iterable[Pixels]]
"""As `map`, perhaps with several threads."""
Done: TypeAlias = Callable[[int, int], Any]
"""What is called after each tile: with the number of tiles that are done, and of all tiles."""


@record(frozen=True)
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


def nearly(tiling: Tiling) -> Tiling:
    """The same with the context that nearly suffices, if there is one: exact tiles are then nearly all overlap."""
    return tiling if tiling.near is None else replace(tiling, context=tiling.near, near=None)


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
    mapped: Mapped = map,
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
    whole, filled = np.empty(0, np.uint8), 0
    for band in bands_in_tiles(picture, run, window, tiling, scale, mapped, done):
        if not filled:
            whole = np.empty((len(picture) * scale, *band.shape[1:]), np.uint8)
        whole[filled : filled + len(band)] = band
        filled += len(band)
    return whole


def bands_in_tiles(
    picture: Pixels,
    run: Run,
    window: int,
    tiling: Tiling,
    scale: int = 1,
    mapped: Mapped = map,
    done: Done | None = None,
) -> Iterator[Pixels]:
    """As `run_in_tiles`, in bands of rows from the top, each as soon as the tiles that it depends on are done.

    Beside the picture, two bands are in memory at a time: at most `scale * window` rows each.
    """
    height, width = picture.shape[:2]
    rows, columns = spans(height, window, tiling), spans(width, window, tiling)
    fade = _overlap(tiling) * scale if tiling.context is None else 0
    parts = (picture[row.start : row.stop, column.start : column.stop] for row, column in product(rows, columns))
    tiles = _counted(mapped(run, parts), len(rows) * len(columns), done)
    over: Pixels | None = None  # the rows of the last band that this one fades in over
    for row, end in zip(rows, [*(row.first for row in rows[1:]), height], strict=True):
        band = _side_by_side(islice(tiles, len(columns)), row, columns, scale, fade)
        if fade and over is not None:
            _fade_in(band, over, fade)
        finished = (end - row.first) * scale
        yield band[:finished]
        over = band[finished:]


def _counted(tiles: Iterable[Pixels], total: int, done: Done | None) -> Iterator[Pixels]:
    for number, tile in enumerate(tiles, 1):
        if done:
            done(number, total)
        yield tile


def _side_by_side(tiles: Iterator[Pixels], row: Span, columns: list[Span], scale: int, fade: int) -> Pixels:
    """What is kept of the tiles in a row, uint8 [h, w, c']."""
    band: Pixels | None = None
    for column, tile in zip(columns, tiles, strict=True):
        kept = tile[row.kept(scale), column.kept(scale)]
        if band is None:
            band = np.empty((len(kept), columns[-1].last * scale, kept.shape[2]), np.uint8)
        place = band[:, column.place(scale)]
        over = place[:, :fade].copy() if column.first else None
        place[:] = kept
        if fade and over is not None:
            _fade_in(np.moveaxis(place, 1, 0), np.moveaxis(over, 1, 0), fade)
    assert band is not None
    return band


def _fade_in(pixels: Pixels, over: Pixels, fade: int) -> None:
    """Let the first `fade` rows of `pixels` fade in over those of `over`."""
    weights = (np.arange(fade, dtype=np.float32)[:, None, None] + 0.5) / fade
    under = over[:fade].astype(np.float32)
    pixels[:fade] = np.rint(under + (pixels[:fade] - under) * weights)


def _overlap(tiling: Tiling) -> int:
    """Pixels that neighbouring tiles have in common, a multiple of the stride."""
    if tiling.context is None:
        return _rounded(BLEND, tiling.multiple)
    return 2 * _rounded(tiling.context, tiling.multiple)


def _rounded(length: int, multiple: int) -> int:
    """`length`, rounded up to a multiple."""
    return -(-length // multiple) * multiple
