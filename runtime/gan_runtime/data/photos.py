"""Photos of mixed sizes, for networks that enlarge pictures: decoded once to one file, of which memory maps parts.

The cache holds the pixels of all photos one after another, so that a data set may be larger than memory.
"""

import hashlib
import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gan_runtime.data.cache import digest_of_images, new_draft, obstacle, open_entry, publish
from gan_runtime.data.content import read_picture
from gan_runtime.data.dataset import Dataset
from gan_runtime.data.decoded import codecs, content_of, digest_of_all, in_threads, mark_entry
from gan_runtime.data.entries import Bad, Listing
from gan_runtime.data.listing import open_pictures, passed_over
from gan_runtime.data.paths import cache_folder
from gan_runtime.data.pictures import shown_bad
from gan_runtime.errors import DataError, InputError
from gan_runtime.images.decoding import NO_MEMORY
from gan_runtime.images.options import CHANNELS, PictureOptions
from gan_runtime.images.whole import WholeDecoder
from gan_runtime.terminal.progress import progress
from gan_runtime.terminal.text import note

VERSION = 1  # of the way from files to pixels, and of what the cache holds
SHOWN, LISTED = 3, 10  # bad pictures in an error and in a remark


@dataclass(frozen=True)
class Photos(Dataset):
    """Photos of mixed sizes.

    `images` is an array [n] of arrays uint8 [h, w, c], whose heights and widths differ.
    """

    @property
    def largest(self) -> tuple[int, int, int]:
        """The largest height and width, and the channels."""
        heights, widths, channels = zip(*(image.shape for image in self.images), strict=True)
        return max(heights), max(widths), channels[0]


@dataclass(frozen=True)
class _Pixels:
    """The pixels of all photos, flat, and their running digest; heights and widths; the start of each file's digest.

    `bad` says why other pictures cannot be used, by their index in the listing. `content` is the digest of everything
    that was decoded, "" if another attempt may find other content.
    """

    flat: NDArray[np.uint8]
    running: Any
    sizes: list[tuple[int, int]]
    files: list[int]
    bad: dict[int, str]
    content: str = ""

    @property
    def digest(self) -> str:
        """Of pixels and sizes."""
        digest = self.running.copy()
        digest.update(json.dumps(self.sizes).encode())
        return str(digest.hexdigest())


def photos_of(dataset: Dataset) -> Photos:
    """The images uint8 [n, h, w, c] of another data set as photos, without their classes."""
    images = np.empty(len(dataset.images), object)
    for index, image in enumerate(dataset.images):
        images[index] = image
    labels = np.zeros(len(images), np.int64)
    return Photos(dataset.name, dataset.split, images, labels, (), dataset.digest)


def load_photos(path: Path, options: PictureOptions, quiet: bool = False) -> Photos:
    """Load the photos of a folder or .zip archive at their own size; they are decoded once and then cached.

    Args:
        path: the folder or archive.
        options: how pictures are decoded; `size` has no effect.
        quiet: print no progress and no remarks on stderr.

    Raises:
        DataError: no picture can be used, or some are bad and `options.skip_bad` is not set.
        InputError: an option does not apply.
        OutputError: the disk has no room for the decoded photos.
    """
    if options.labels != "none":
        raise InputError(f"--labels {options.labels}: photos have no classes; leave it out")
    with open_pictures(path, options.follow_links) as listing:
        pixels = _pixels(listing, options, quiet)
        bad = [*(Bad(listing.names[index], reason) for index, reason in pixels.bad.items()), *listing.bad]
        _check(path, bad, len(pixels.sizes), options.skip_bad, passed_over(listing.ignored, listing.left_out))
        names = tuple(name for index, name in enumerate(listing.names) if index not in pixels.bad)
        others = passed_over(listing.ignored, listing.left_out)
    for remark in () if quiet else others:
        note(f"{path}: {remark}")
    if bad and not quiet:
        note(f"{path}: {len(bad):,} of {len(bad) + len(names):,} pictures skipped: {shown_bad(bad, LISTED)}")
    where = path.resolve()
    return Photos(
        where.name if where.is_dir() else where.stem,
        "train",
        _views(pixels, CHANNELS[options.mode]),
        np.zeros(len(names), np.int64),
        (),
        pixels.digest,
        names=names,
        content=np.array(pixels.files, np.uint64),
    )


def _check(path: Path, bad: Sequence[Bad], good: int, skip_bad: bool, others: Sequence[str]) -> None:
    if bad and not skip_bad:
        raise DataError(
            f"{path}: {len(bad):,} of {len(bad) + good:,} pictures cannot be used: {shown_bad(bad, SHOWN)}; repair or "
            "remove them, or leave them out with --skip-bad"
        )
    if not good:
        reasons = "; ".join([shown_bad(bad, SHOWN), *others])
        raise DataError(f"{path}: has no picture that can be used: {reasons}")


def _views(pixels: _Pixels, channels: int) -> NDArray[Any]:
    """The photos as an array of views of the flat pixels."""
    images, first = np.empty(len(pixels.sizes), object), 0
    for index, (height, width) in enumerate(pixels.sizes):
        last = first + height * width * channels
        images[index] = pixels.flat[first:last].reshape(height, width, channels)
        first = last
    return images


def _pixels(listing: Listing, options: PictureOptions, quiet: bool) -> _Pixels:
    cache = cache_folder()
    folder = cache / "decoded" if cache else Path()
    problem = obstacle(folder) if cache else ""
    if not cache or not folder.is_dir():
        return _decode(listing, options, quiet)
    mark = _key(listing.stamp, options) if listing.stamp else ""  # of an entry that was compared with these files
    for marked in folder.glob(f"*/{mark}") if mark else ():
        if found := _open(marked.parent):
            return found
    content = content_of(listing, quiet)
    entry = folder / _key(content, options)
    if found := _open(entry):
        mark_entry(entry, mark)
        return found
    if problem or not content:
        if not quiet:
            note(f"{cache}: cannot be used ({problem or 'a picture cannot be read'}); photos are decoded into memory")
        return _decode(listing, options, quiet)
    _publish(listing, options, folder, entry, mark, content, quiet)
    found = _open(entry)
    return found or _decode(listing, options, quiet)


def _publish(
    listing: Listing, options: PictureOptions, folder: Path, entry: Path, mark: str, content: str, quiet: bool
) -> None:
    """Decode into a new entry of the cache. Raises DataError if the pictures are no longer those of `content`."""
    decoding = _Decoding.of(listing, options, quiet)
    with new_draft(folder, (decoding.total,)) as (draft, flat):
        pixels = decoding.run(flat, quiet)
        if pixels.content and pixels.content != content:
            raise DataError(f"{listing.path}: its pictures changed while they were read; try again later")
        if pixels.content:
            mark_entry(draft, mark)
            about = {"photos": pixels.sizes, "bad": [*pixels.bad.items()], "files": pixels.files}
            publish(draft, entry, pixels.flat, pixels.running.hexdigest(), about)


def _decode(listing: Listing, options: PictureOptions, quiet: bool) -> _Pixels:
    """All photos in memory."""
    decoding = _Decoding.of(listing, options, quiet)
    return decoding.run(np.zeros(decoding.total, np.uint8), quiet)


def _key(source: str, options: PictureOptions) -> str:
    """Digest of everything that determines the pixels."""
    shaping = [options.mode, options.background, options.levels, options.max_pixels]
    return hashlib.sha256(json.dumps(["photos", VERSION, codecs(), source, shaping]).encode()).hexdigest()[:32]


def _open(entry: Path) -> _Pixels | None:
    """What an entry holds; None if it is missing or damaged."""
    flat, digest, about = open_entry(entry) or (None, None, {})
    with suppress(ValueError, KeyError, TypeError):
        sizes = [(int(height), int(width)) for height, width in about["photos"]]
        bad = {int(index): str(reason) for index, reason in about["bad"]}
        if flat is not None:
            return _Pixels(flat, digest, sizes, [*map(int, about["files"])], bad)
    return None


@dataclass
class _Decoding:
    """Decodes the photos of a listing into parts of one flat array, whose size the headers of the files say.

    The lists have an entry for each picture: the digest of its file, why it cannot be used, its size, and where its
    part of the array ends.
    """

    listing: Listing
    decoder: WholeDecoder
    digests: list[str]
    reasons: list[str]
    sizes: list[tuple[int, int]]
    ends: NDArray[np.int64]

    @classmethod
    def of(cls, listing: Listing, options: PictureOptions, quiet: bool) -> "_Decoding":
        """Read the headers of all pictures."""
        n = len(listing.names)
        made = cls(listing, WholeDecoder(options), [""] * n, [""] * n, [(0, 0)] * n, np.zeros(n, np.int64))
        with progress(f"reading {listing.path.name}", n, "images", quiet=quiet) as advance:
            areas = list(in_threads(made._measure, n, advance))
        made.ends = np.cumsum(areas, dtype=np.int64) * CHANNELS[options.mode]
        return made

    @property
    def total(self) -> int:
        """Bytes of all photos."""
        return int(self.ends[-1]) if len(self.ends) else 0

    def run(self, flat: NDArray[np.uint8], quiet: bool) -> _Pixels:
        """Decode into `flat`, then close the gaps that bad pictures have left."""
        with progress(f"decoding {self.listing.path.name}", len(self.ends), "images", quiet=quiet) as advance:
            list(in_threads(lambda index: self._fill(flat, index), len(self.ends), advance))
        good = [index for index, reason in enumerate(self.reasons) if not reason]
        used = 0
        for index in good:
            first, last = self._part(index)
            if used < first:
                flat[used : used + last - first] = flat[first:last].copy()
            used += last - first
        return _Pixels(
            flat[:used],
            digest_of_images(flat[:used]),
            [self.sizes[index] for index in good],
            [int(self.digests[index][:16], 16) for index in good],
            {index: reason for index, reason in enumerate(self.reasons) if reason},
            digest_of_all(self.listing, self.digests),
        )

    def _part(self, index: int) -> tuple[int, int]:
        return int(self.ends[index - 1]) if index else 0, int(self.ends[index])

    def _measure(self, index: int) -> int:
        """The number of pixels that the file of a picture declares; 0 for a bad one."""
        content, self.reasons[index], self.digests[index] = read_picture(self.listing, self.listing.names[index])
        try:
            header = self.decoder.contents(content) if not self.reasons[index] else None
        except (DataError, ValueError) as error:
            self.reasons[index], header = str(error), None
        return header.height * header.width if header else 0

    def _fill(self, flat: NDArray[np.uint8], index: int) -> None:
        if self.reasons[index]:
            return
        content, self.reasons[index], digest = read_picture(self.listing, self.listing.names[index])
        first, last = self._part(index)
        try:
            picture = self.decoder.picture(content).flattened(self.decoder.options.background)
            if digest != self.digests[index] or picture.colours.size != last - first:
                raise DataError("it changed while it was read")
            flat[first:last] = picture.colours.reshape(-1)
            self.sizes[index] = picture.size
        except (DataError, ValueError) as error:
            self.reasons[index] = str(error)
            self.digests[index] *= str(error) != NO_MEMORY
