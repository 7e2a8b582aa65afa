"""The pictures of a folder or archive as one array, decoded once on all cores and then read from the user's cache.

The cache holds images, and which pictures cannot be decoded. Classes, ignored files and files that cannot be opened are
those of the folder as it is now.
"""

import hashlib
import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict, astuple, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gan_runtime.data.cache import ROWS_AT_ONCE, digest_of_images, new_draft, obstacle, open_entry, publish
from gan_runtime.data.classes import Classes, find_classes
from gan_runtime.data.content import read_picture
from gan_runtime.data.dataset import Dataset
from gan_runtime.data.listing import Bad, Listing, open_pictures
from gan_runtime.data.paths import cache_folder
from gan_runtime.devices.processors import available_cpus
from gan_runtime.errors import DataError
from gan_runtime.images.decoding import NO_MEMORY, decoder
from gan_runtime.images.options import CHANNELS, PictureOptions
from gan_runtime.images.prepare import PREPARATIONS, channels_of
from gan_runtime.images.prepare import VERSION as PREPARED
from gan_runtime.images.remarks import Remark, summarise
from gan_runtime.terminal.progress import progress
from gan_runtime.terminal.text import note

VERSION = 6  # of the way from files to images, and of what the cache holds
CODECS = ("jpg", "zlib", "libtiff", "webp", "avif", "littlecms2")  # libraries that determine what Pillow decodes
MAX_THREADS = 16  # each may hold a picture of hundreds of megabytes


@dataclass(frozen=True)
class Extract:
    """What is taken from each picture, for networks that translate pictures.

    Args:
        half: `LEFT` or `RIGHT`, as `decoder` takes it; "": the whole picture.
        prepared: a key of `PREPARATIONS`: the input that is made from it; "": the picture itself.
    """

    half: str = ""
    prepared: str = ""

    def channels(self, options: PictureOptions) -> int:
        """The number of channels of its images."""
        channels = CHANNELS[options.mode]
        return channels_of(self.prepared, channels) if self.prepared else channels

    def decoder(self, options: PictureOptions) -> Callable[..., NDArray[np.uint8]]:
        """As `images.decoding.decoder`."""
        decode = decoder(options, self.half)
        if not self.prepared:
            return decode
        prepare = PREPARATIONS[self.prepared]
        return lambda *arguments: prepare(decode(*arguments))


PICTURE = Extract()


@dataclass(frozen=True)
class Decoded:
    """Images uint8 [n, size, size, channels] of the usable pictures, sorted by name, and facts about other files.

    `content` has the first 64 bits of the SHA-256 of each picture's file, uint64 [n], and `sizes` the width and height
    of each upright picture, int64 [n, 2].
    """

    images: NDArray[np.uint8]
    names: tuple[str, ...]
    labels: NDArray[np.int64]
    classes: tuple[str, ...]
    bad: tuple[Bad, ...]
    ignored: int
    left_out: dict[str, int]
    class_remarks: tuple[str, ...]
    digest: str
    content: NDArray[np.uint64]
    sizes: NDArray[np.int64]
    remarks: tuple[Remark, ...] = ()


@dataclass(frozen=True)
class _Pixels:
    """Images of the pictures that can be decoded, and why the others cannot, by their index in the listing.

    `files` has the start of each picture's digest. `content` is the digest of everything that was decoded, "" if
    another attempt may find other content.
    """

    images: NDArray[np.uint8]
    files: NDArray[np.uint64]
    sizes: NDArray[np.int64]
    bad: dict[int, str]
    digest: Any  # of the images, running: labels follow
    remarks: tuple[Remark, ...]
    content: str = ""


def decoded(path: Path, options: PictureOptions, quiet: bool = False) -> Decoded:
    """Decode the pictures of a folder or .zip archive, or read them from the cache.

    Raises:
        DataError: the folder or archive cannot be used, or changes while it is read.
        OutputError: the disk has no room for the decoded images.
    """
    with open_pictures(path, options.follow_links) as listing:
        classes = find_classes(listing, options.labels)
        return _labelled(listing, _pixels(listing, options, quiet), classes)


def decoded_listing(listing: Listing, options: PictureOptions, extract: Extract, quiet: bool = False) -> Decoded:
    """As `decoded`, for an open listing, without classes."""
    return _labelled(listing, _pixels(listing, options, quiet, extract), Classes())


def renumbered(dataset: Dataset, classes: tuple[str, ...]) -> Dataset:
    """The same images with the classes in another order."""
    numbers = np.array([classes.index(name) for name in dataset.classes], np.int64)
    labels = numbers[dataset.labels]
    digest = _digest_of_labels(digest_of_images(dataset.images), classes, labels)
    return replace(dataset, labels=labels, classes=classes, digest=digest)


def _labelled(listing: Listing, pixels: _Pixels, classes: Classes) -> Decoded:
    good = tuple(name for index, name in enumerate(listing.names) if index not in pixels.bad)
    numbers = {name: number for number, name in enumerate(classes.names)}
    labels = np.array([numbers[classes.of[name]] if numbers else 0 for name in good], np.int64)
    bad = [Bad(listing.names[index], reason) for index, reason in pixels.bad.items()]
    return Decoded(
        images=pixels.images,
        names=good,
        labels=labels,
        classes=classes.names,
        bad=tuple(sorted([*bad, *listing.bad], key=lambda entry: entry.name)),
        ignored=listing.ignored,
        left_out=listing.left_out,
        class_remarks=classes.remarks,
        digest=_digest_of_labels(pixels.digest, classes.names, labels),
        content=pixels.files,
        sizes=pixels.sizes,
        remarks=pixels.remarks,
    )


def _pixels(listing: Listing, options: PictureOptions, quiet: bool, extract: Extract = PICTURE) -> _Pixels:
    shape = (len(listing.names), options.size, options.size, extract.channels(options))
    cache = cache_folder()
    folder = cache / "decoded" if cache else Path()
    problem = obstacle(folder) if cache else ""
    if cache and folder.is_dir():  # it may be read-only
        mark = (
            _key(listing.stamp, options, extract) if listing.stamp else ""
        )  # of an entry that was compared with these files
        for marked in folder.glob(f"*/{mark}") if mark else ():
            if found := _open(marked.parent, len(listing.names)):
                return found
        content = content_of(listing, quiet)
        entry = folder / _key(content, options, extract)
        if found := _open(entry, len(listing.names)):
            mark_entry(entry, mark)
            return found
        if not problem:
            with new_draft(folder, shape) as (draft, rows):
                pixels = _decode(listing, options, extract, rows, quiet)
                if pixels.content and content and pixels.content != content:
                    raise DataError(f"{listing.path}: its pictures changed while they were read; try again later")
                if pixels.content and content:
                    mark_entry(draft, mark)
                    about = {
                        "bad": list(pixels.bad.items()),
                        "remarks": [astuple(each) for each in pixels.remarks],
                        "files": pixels.files.tolist(),
                        "sizes": pixels.sizes.tolist(),
                    }
                    publish(draft, entry, pixels.images, pixels.digest.hexdigest(), about)
                return _open(entry, len(listing.names)) or pixels
    if problem and not quiet:
        note(f"{cache}: cannot be used ({problem}); pictures are decoded into memory each time")
    return _decode(listing, options, extract, np.zeros(shape, np.uint8), quiet)


def mark_entry(entry: Path, mark: str) -> None:
    """Note that the entry was compared with the files whose stamp is `mark`; "" is none."""
    with suppress(OSError):  # the cache may be read-only
        if mark:
            (entry / mark).touch()


def content_of(listing: Listing, quiet: bool) -> str:
    """Digest of all names and contents; "" if one cannot be read for now."""
    digests = []
    with progress(f"reading {listing.path.name}", len(listing.names), "images", quiet=quiet) as advance:
        for name in listing.names:
            digests.append(read_picture(listing, name)[2])
            advance(1)
    return digest_of_all(listing, digests)


def digest_of_all(listing: Listing, digests: list[str]) -> str:
    """Digest of all names with the digests of their files; "" if one is ""."""
    lines = (f"{name!a} {digest}\n" for name, digest in zip(listing.names, digests, strict=True))
    return hashlib.sha256("".join(lines).encode()).hexdigest() if all(digests) else ""


def _key(source: str, options: PictureOptions, extract: Extract) -> str:
    """Digest of everything that determines the images of a source."""
    shaping = asdict(options)
    del shaping["labels"], shaping["skip_bad"], shaping["follow_links"]
    what = [VERSION, codecs(), source, shaping, *([] if extract == PICTURE else [astuple(extract), PREPARED])]
    return hashlib.sha256(json.dumps(what).encode()).hexdigest()[:32]


def codecs() -> list[str | None]:
    """Versions of Pillow and of the libraries that it decodes with."""
    import PIL  # noqa: PLC0415
    from PIL import features  # noqa: PLC0415

    known = {*features.modules, *features.codecs, *features.features}
    return [PIL.__version__, *(features.version(name) if name in known else None for name in CODECS)]


def _open(entry: Path, pictures: int) -> _Pixels | None:
    """What an entry holds; None if it is missing, damaged, or about another number of pictures."""
    images, digest, about = open_entry(entry) or (None, None, {})
    with suppress(ValueError, KeyError, TypeError, OverflowError):
        bad = {int(index): str(reason) for index, reason in about["bad"]}
        remarks = tuple(Remark(*remark) for remark in about["remarks"])
        files = np.array(about["files"], np.uint64)
        sizes = np.array(about["sizes"], np.int64).reshape(-1, 2)
        if images is not None and len(images) + len(bad) == pictures and len(files) == len(sizes) == len(images):
            return _Pixels(images, files, sizes, bad, digest, remarks)
    return None


def _digest_of_labels(images: Any, classes: tuple[str, ...], labels: NDArray[np.int64]) -> str:
    digest = images.copy()
    digest.update(json.dumps([classes, labels.tolist()]).encode())
    return str(digest.hexdigest())


def _decode(
    listing: Listing, options: PictureOptions, extract: Extract, rows: NDArray[np.uint8], quiet: bool
) -> _Pixels:
    """Decode each picture into its row of `rows`, then close the gaps left by bad pictures."""
    decode = extract.decoder(options)
    noticed: list[list[tuple[str, float]]] = [[] for _ in listing.names]
    measured: dict[int, tuple[int, int]] = {}

    def fill(index: int) -> tuple[str, str]:
        content, reason, digest = read_picture(listing, listing.names[index])
        if reason:
            return reason, digest
        try:
            rows[index] = decode(
                content, lambda *notice: noticed[index].append(notice), lambda *size: measured.update({index: size})
            )
        except (DataError, ValueError) as error:
            return str(error), digest * (str(error) != NO_MEMORY)
        return "", digest

    with progress(f"decoding {listing.path.name}", len(rows), "images", quiet=quiet) as advance:
        done = list(in_threads(fill, len(rows), advance))
    bad = {index: reason for index, (reason, _) in enumerate(done) if reason}
    good = [index for index in range(len(rows)) if index not in bad]
    for first in range(0, len(good) if bad else 0, ROWS_AT_ONCE):
        chosen = good[first : first + ROWS_AT_ONCE]
        rows[first : first + len(chosen)] = rows[chosen]
    images, content = rows[: len(good)], digest_of_all(listing, [digest for _, digest in done])
    files = np.array([int(done[index][1][:16], 16) for index in good], np.uint64)
    sizes = np.array([measured[index] for index in good], np.int64).reshape(-1, 2)
    return _Pixels(images, files, sizes, bad, digest_of_images(images), summarise(listing.names, noticed), content)


def in_threads(work: Callable[[int], Any], count: int, advance: Callable[[int], None]) -> Iterator[Any]:
    """Results of `work` for 0 .. count - 1, in order; pillow decodes and resizes outside of Python's lock."""
    pool = ThreadPoolExecutor(min(available_cpus(), MAX_THREADS))
    try:
        for result in pool.map(work, range(count)):
            advance(1)
            yield result
    finally:
        pool.shutdown(cancel_futures=True)
