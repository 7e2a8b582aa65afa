"""Tiles of networks that numpy computes, so that what they depend on is known exactly."""

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest

from gan_runtime.errors import InputError
from gan_runtime.manifest import Tiling
from gan_runtime.tiling import BLEND, least_window, run_in_tiles, spans, usual_window

SIZES = [(1, 1), (35, 37), (64, 64), (70, 50), (33, 151)]


def picture(height: int, width: int, channels: int = 3) -> np.ndarray:
    return np.random.default_rng(height).integers(0, 256, (height, width, channels), dtype=np.uint8)


def network(context: int, stride: int = 1, scale: int = 1) -> Callable[[np.ndarray], np.ndarray]:
    """The largest pixel that is `context` pixels away at most, of a grid of cells of `stride` pixels, enlarged."""

    def run(tile: np.ndarray) -> np.ndarray:
        height, width = tile.shape[:2]
        padded = np.pad(tile, ((0, -height % stride), (0, -width % stride), (0, 0)), mode="edge")
        cells = padded[::stride, ::stride]
        reach = context // stride
        wide = np.pad(cells, ((reach, reach), (reach, reach), (0, 0)))
        windows = np.lib.stride_tricks.sliding_window_view(wide, (2 * reach + 1, 2 * reach + 1), (0, 1))
        found = windows.max((-1, -2)).repeat(stride * scale, 0).repeat(stride * scale, 1)
        return found[: height * scale, : width * scale]

    return run


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(("context", "stride"), [(0, 1), (3, 1), (8, 4), (16, 16)])
@pytest.mark.parametrize("scale", [1, 4])
def test_tiles_equal_the_whole(size: tuple[int, int], context: int, stride: int, scale: int) -> None:
    run, tiling = network(context, stride, scale), Tiling(stride, stride, context)
    image = picture(*size)
    for window in (least_window(tiling), least_window(tiling) + 1, 3 * least_window(tiling) + 5, 1000):
        found = run_in_tiles(image, run, window, tiling, scale)
        np.testing.assert_array_equal(found, run(image))


def test_a_smaller_context_than_the_networks_is_noticed() -> None:
    image = picture(300, 200)
    assert not np.array_equal(run_in_tiles(image, network(8), 30, Tiling(1, 1, 4)), network(8)(image))


@pytest.mark.parametrize("context", [None, 0, 1, 30, 511])
@pytest.mark.parametrize(("multiple", "least"), [(1, 1), (4, 8), (64, 64), (4, 100)])
def test_tiles_cover_an_axis_and_stay_in_their_window(context: int | None, multiple: int, least: int) -> None:
    tiling = Tiling(multiple, least, context)
    for window in (least_window(tiling), least_window(tiling) + 3, usual_window(tiling)):
        for length in (1, window - 1, window, window + 1, 3 * window + 7):
            found = spans(length, window, tiling)
            assert (found[0].first, found[-1].last) == (0, length)
            for span in found:
                assert span.start % multiple == 0
                assert min(length, least) <= span.stop - span.start <= window
                assert span.stop == length or (span.stop - span.start) % multiple == 0
                if context is not None:
                    assert span.start == 0 or span.first - span.start >= context
                    assert span.stop == length or span.stop - span.last >= context
            for one, other in pairwise(found):
                shared = one.last - other.first
                assert shared == 0 if context is not None else shared >= BLEND


def test_most_of_a_usual_tile_is_kept() -> None:
    assert usual_window(Tiling(4, 8, 59)) == 512
    assert usual_window(Tiling(64, 64, 127)) == 512
    assert usual_window(Tiling(256, 256, 511)) == 1536
    assert usual_window(Tiling(4, 8, None)) == 1024


def test_blended_tiles_of_a_network_without_context_are_the_whole() -> None:
    image = picture(700, 500)
    found = run_in_tiles(image, lambda tile: 255 - tile, 128, Tiling(4, 4, None))
    np.testing.assert_array_equal(found, 255 - image)


@pytest.mark.parametrize("scale", [1, 2])
def test_blended_tiles_have_no_seams(scale: int) -> None:
    """Each tile is of one brightness, the number of those before it: neighbouring pixels differ by a small step."""
    numbers = iter(range(1000))
    run = lambda tile: np.full((*(np.array(tile.shape[:2]) * scale), 1), 8 * next(numbers), np.uint8)  # noqa: E731
    found = run_in_tiles(picture(300, 500), run, 160, Tiling(4, 4, None), scale).astype(int)
    assert next(numbers) > 10
    assert max(np.abs(np.diff(found, axis=axis)).max() for axis in (0, 1)) <= 2  # by rounding, twice


def test_progress_counts_tiles() -> None:
    seen: list[tuple[int, int]] = []
    run_in_tiles(picture(100, 60), network(2), 40, Tiling(1, 1, 2), done=lambda k, n: seen.append((k, n)))
    assert seen == [(k, 6) for k in range(1, 7)]


def test_a_window_that_is_too_small_is_refused() -> None:
    with pytest.raises(InputError, match="tile 30: too small for this network, which needs at least 68"):
        spans(100, 30, Tiling(4, 4, 30))
