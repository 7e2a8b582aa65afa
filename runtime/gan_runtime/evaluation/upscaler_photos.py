"""The photos that upscaler files are measured on: high resolution, and low resolution made of it or given."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gan_runtime.data.layout import place
from gan_runtime.data.listing import is_pictures, open_pictures
from gan_runtime.data.photos import Photos, load_photos
from gan_runtime.data.split import split_by_content
from gan_runtime.errors import InputError
from gan_runtime.evaluation.metrics.pixels import LEAST_SIDE
from gan_runtime.evaluation.upscaling import Pair, pair_of
from gan_runtime.images.choice import described, some_in_order
from gan_runtime.images.opening import open_picture
from gan_runtime.images.options import PictureOptions

NAMED = 3  # pictures that a message names

Stored = Sequence[NDArray[np.uint8]]


@dataclass(frozen=True)
class Chosen:
    """Photos to measure with.

    Args:
        photos: all photos of the data.
        stored: uint8 [h, w, c] of each, with one channel for those that are stored in grey, as papers measure them.
        rows: those that are measured, int64.
        which: what they are of all photos, for people.
        left_out: names of photos that are too small.
        pair: row -> the photo and its low resolution.
    """

    photos: Photos
    stored: Stored
    rows: NDArray[np.int64]
    which: str
    left_out: tuple[str, ...]
    pair: Callable[[int], Pair]

    def pairs(self) -> Iterator[Pair]:
        """The photos that are measured, one at a time in memory."""
        return (self.pair(int(row)) for row in self.rows)

    @property
    def least_side(self) -> int:
        """The shortest side of a photo, in pixels."""
        return int(min(min(self.stored[row].shape[:2]) for row in self.rows))

    @property
    def grey(self) -> int:
        """How many of the photos that are measured are grey."""
        return sum(self.stored[row].shape[2] == 1 for row in self.rows)


def _load(source: str, options: PictureOptions, quiet: bool) -> tuple[Photos, Stored]:
    """The photos of a folder or archive, and the same as `Chosen.stored`.

    Raises:
        InputError: it is no folder or archive.
        DataError: as `load_photos`.
    """
    if not is_pictures(source):
        raise InputError(f"{source}: upscalers are measured on a folder or .zip of photos; name one that is there")
    photos = load_photos(Path(source), replace(options, skip_bad=True), quiet)
    stored: list[NDArray[np.uint8]] = list(photos.images)
    with open_pictures(Path(source), options.follow_links) as listing:
        for row, name in enumerate(photos.names):
            if _is_grey(listing.read(name), options.max_pixels):
                stored[row] = stored[row][..., :1]
    return photos, stored


def _is_grey(content: bytes, max_pixels: int) -> bool:
    with open_picture(content, max_pixels).image as image:
        return image.mode in ("1", "L", "LA", "La", "F") or image.mode.startswith("I")


def choose(
    source: str,
    options: PictureOptions,
    scale: int,
    degradation: str,
    seed: int,
    n: int | None,
    share_of: Callable[[Photos], tuple[float, str]],
    quiet: bool = False,
) -> Chosen:
    """Photos whose low resolution is made of them.

    Args:
        source: folder or archive.
        options: how they are decoded.
        scale: factor between the resolutions.
        degradation, seed: as `pair_of`.
        n: the largest number of photos; None for all.
        share_of: photos -> the share that is held out, 0 for all of them, and in which words.
        quiet: print no progress and no remarks on stderr.

    Raises:
        InputError: no photo is large enough, or `source` is no folder or archive.
        DataError: as `load_photos`.
    """
    photos, stored = _load(source, options, quiet)
    share, words = share_of(photos)
    rows = split_by_content(photos, share).held_out if share else np.arange(len(photos.images))
    if not len(rows):
        raise InputError(f"{source}: no photos are held out to measure with; give --hold-out 0 for all")
    large, small = _large_enough(source, photos, rows, scale)
    chosen = large[some_in_order(len(large), n or len(large))]
    which = f"{words}, {described(len(large), n)}" if n and n < len(large) else words

    def pair(row: int) -> Pair:
        return pair_of(stored[row], scale, degradation, seed, photos.names[row])

    return Chosen(photos, stored, chosen, which, small, pair)


def choose_pairs(
    inputs: str, source: str, options: PictureOptions, scale: int, n: int | None, quiet: bool = False
) -> Chosen:
    """Photos whose low resolution is in a folder or archive of its own, under the same name or with "x4" after it.

    Raises:
        InputError: a picture has no partner, or one of another size; or as `choose`.
        DataError: as `load_photos`.
    """
    (low, _), (photos, stored) = _load(inputs, options, quiet), _load(source, options, quiet)
    partners = {_key(name, scale): row for row, name in enumerate(low.names)}
    rows = np.array([row for row, name in enumerate(photos.names) if _key(name, scale) in partners], np.int64)
    _check_partners(inputs, source, low, photos, scale)
    large, small = _large_enough(source, photos, rows, scale)
    chosen = large[some_in_order(len(large), n or len(large))]

    def pair(row: int) -> Pair:
        name = photos.names[row]
        return _fitting(inputs, source, low.images[partners[_key(name, scale)]], stored[row], scale, name)

    return Chosen(photos, stored, chosen, f"{described(len(large), n or len(large))} pairs", small, pair)


def _key(name: str, scale: int) -> str:
    return place(name).key.removesuffix(f"x{scale}")


def _check_partners(inputs: str, source: str, low: Photos, photos: Photos, scale: int) -> None:
    known = {_key(name, scale) for name in photos.names}
    missing = [name for name in low.names if _key(name, scale) not in known]
    if missing:
        raise InputError(f"{source}: has no photo for {_named(missing)} of --inputs {inputs}; pairs have equal names")


def _fitting(inputs: str, source: str, low: NDArray[np.uint8], photo: NDArray[np.uint8], scale: int, name: str) -> Pair:
    """The pair, in grey if the photo is. Raises InputError where the sizes do not match."""
    height, width = (side // scale for side in photo.shape[:2])
    if low.shape[:2] != (height, width):
        raise InputError(
            f"{inputs}: {name} has {low.shape[1]} x {low.shape[0]} pixels, not {width} x {height}, 1/{scale} of those "
            f"in {source}; give pictures of matching sizes"
        )
    return Pair(low, photo[: height * scale, : width * scale], name)


def _large_enough(
    source: str, photos: Photos, rows: NDArray[np.int64], scale: int
) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """Those of `rows` with room for the window of SSIM within the border, and the names of the others."""
    least = LEAST_SIDE + 2 * scale
    fits = np.array([min(photos.images[row].shape[:2]) // scale * scale >= least for row in rows], bool)
    small = tuple(photos.names[row] for row in rows[~fits])
    if not fits.any():
        raise InputError(f"{source}: no photo has {least} x {least} pixels or more; give larger ones")
    return rows[fits], small


def _named(names: Sequence[str]) -> str:
    more = "" if len(names) <= NAMED else f" and {len(names) - NAMED:,} more"
    return f"{', '.join(names[:NAMED])}{more}"
