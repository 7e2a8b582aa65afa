"""Decoded pictures in the user's cache: one memory-mapped array per content and options, built once on all cores.

An entry answers for pixels alone, and for which pictures have none: classes, files that are ignored and files that
cannot be opened are those of the folder as it is now. Nothing in the cache is trusted: pixels are compared with their
digest whenever they are opened (26 ms for 60,000 images of 28 x 28, measured on one core of an EPYC).
"""

import errno
import hashlib
import json
import math
import os
import re
import secrets
import shutil
import tempfile
import time
import zipfile
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict, astuple, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gan_runtime.cpus import available_cpus
from gan_runtime.data.classes import Classes, find_classes
from gan_runtime.data.dataset import Dataset
from gan_runtime.data.listing import Bad, Listing, open_pictures
from gan_runtime.data.paths import cache_folder
from gan_runtime.errors import DataError, OutputError
from gan_runtime.files import atomic_write
from gan_runtime.images.decoding import NO_MEMORY, decoder
from gan_runtime.images.options import CHANNELS, PictureOptions
from gan_runtime.images.remarks import Remark, summarise
from gan_runtime.terminal.commandline import note
from gan_runtime.terminal.progress import progress

VERSION = 4  # of the way from files to arrays, and of what is kept of them
DIGEST_VERSION = 2  # part of the digest that a run remembers of its data: the same pixels keep it
IMAGES, ABOUT = "images.u8", "about.json"
CODECS = ("jpg", "zlib", "libtiff", "webp", "avif", "littlecms2")  # libraries that decide what pixels Pillow reads
DAMAGE = (DataError, zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, ValueError, EOFError)
MAX_THREADS = 16  # each may hold a picture of hundreds of megabytes
DRAFT = ".new-"
DRAFT_LIFETIME = 24 * 3600  # seconds after which a draft is taken for that of a killed process
ROWS_AT_ONCE = 1024


@dataclass(frozen=True)
class Decoded:
    """Images uint8 [n, size, size, channels] of the usable pictures in order of their names, and all about the rest."""

    images: NDArray[np.uint8]
    names: tuple[str, ...]
    labels: NDArray[np.int64]
    classes: tuple[str, ...]
    bad: tuple[Bad, ...]
    ignored: int
    left_out: dict[str, int]
    class_remarks: tuple[str, ...]
    digest: str
    remarks: tuple[Remark, ...] = ()


@dataclass(frozen=True)
class _Pixels:
    """Images of the pictures of a listing that can be decoded, and by index why the others cannot."""

    images: NDArray[np.uint8]
    bad: dict[int, str]
    digest: Any  # of the images; labels are to follow
    remarks: tuple[Remark, ...] = ()


def decoded(path: Path, options: PictureOptions, quiet: bool = False) -> Decoded:
    """The pictures of a folder or .zip archive, from the cache where they have been decoded before.

    Raises:
        DataError: the folder or archive as a whole cannot be used, or changes while it is read.
        OutputError: the disk has no room for the decoded images.
    """
    with open_pictures(path, options.follow_links) as listing:
        classes = find_classes(listing, options.labels)
        return _labelled(listing, _pixels(listing, options, quiet), classes)


def renumbered(dataset: Dataset, classes: tuple[str, ...]) -> Dataset:
    """The same pictures with their classes in another order."""
    numbers = np.array([classes.index(name) for name in dataset.classes], np.int64)
    labels = numbers[dataset.labels]
    digest = _digest_of_labels(_digest_of_images(dataset.images), classes, labels)
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
        remarks=pixels.remarks,
    )


def _pixels(listing: Listing, options: PictureOptions, quiet: bool) -> _Pixels:
    shape = (len(listing.names), options.size, options.size, CHANNELS[options.mode])
    cache = cache_folder()
    obstacle = _obstacle(cache) if cache else ""
    if cache and (cache / "decoded").is_dir():  # of another user, perhaps: what may not be written may be read
        content = _content(listing, cache, quiet)
        folder = cache / "decoded" / _key(content, options)
        found = _open(folder, len(listing.names))
        if found or not obstacle:
            return found or _build(listing, options, shape, content, folder, quiet)
    if obstacle and not quiet:
        note(f"{cache}: cannot be used ({obstacle}); pictures are decoded into memory, each time anew")
    return _decode(listing, options, np.zeros(shape, np.uint8), quiet).pixels


def _obstacle(cache: Path) -> str:
    """Why nothing can be kept in the cache; nothing if it can."""
    try:
        for name in ("decoded", "contents"):
            (cache / name).mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=cache / "decoded"):
            return ""
    except OSError as error:
        return error.strerror or str(error)


def _content(listing: Listing, cache: Path, quiet: bool) -> str:
    """Digest of all names and contents; remembered for as long as no file changes its size or its times."""
    memory = cache / "contents" / (listing.stamp or "none")
    with suppress(OSError, ValueError):
        known = memory.read_text()
        if re.fullmatch("[0-9a-f]{64}", known):  # else a machine lost its power while it was written
            return known
    digests = []
    with progress(f"reading {listing.path.name}", len(listing.names), "images", quiet=quiet) as advance:
        for name in listing.names:
            digests.append(_read(listing, name).digest)
            advance(1)
    content = _digest_of_all(listing, digests)
    if listing.stamp and all(digests):
        with suppress(OutputError), atomic_write(memory) as file:  # without it the files are read again next time
            file.write(content.encode())
    return content


@dataclass(frozen=True)
class _Read:
    """The bytes of a picture, or why there are none. Without a digest it may be read another time."""

    content: bytes
    reason: str
    digest: str


def _read(listing: Listing, name: str) -> _Read:
    try:
        content = listing.read(name)
    except OSError as error:  # of the disk or the network, not of the picture
        return _Read(b"", f"cannot be read: {error.strerror or error}", "")
    except DAMAGE as error:
        return _Read(b"", str(error), str(error))
    return _Read(content, "", hashlib.sha256(content).hexdigest())


def _digest_of_all(listing: Listing, digests: list[str]) -> str:
    lines = (f"{name!a} {digest}\n" for name, digest in zip(listing.names, digests, strict=True))
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def _key(content: str, options: PictureOptions) -> str:
    """Of an entry: all that decides over its pixels."""
    shaping = asdict(options)
    del shaping["labels"], shaping["skip_bad"], shaping["follow_links"]
    what = [VERSION, _codecs(), content, shaping]
    return hashlib.sha256(json.dumps(what).encode()).hexdigest()[:32]


def _codecs() -> list[str | None]:
    """Versions of Pillow and of the libraries that it decodes with."""
    import PIL  # noqa: PLC0415
    from PIL import features  # noqa: PLC0415

    known = {*features.modules, *features.codecs, *features.features}
    return [PIL.__version__, *(features.version(name) if name in known else None for name in CODECS)]


def _open(folder: Path, pictures: int) -> _Pixels | None:
    """What an earlier call has left in `folder`; None where there is nothing, or something damaged."""
    try:
        about = json.loads((folder / ABOUT).read_text())
        shape = tuple(about["shape"])
        bad = {int(index): str(reason) for index, reason in about["bad"]}
        if (folder / IMAGES).stat().st_size != math.prod(shape) or shape[0] + len(bad) != pictures:
            return None
        # A private view: whatever is written to it stays in memory.
        images = np.memmap(folder / IMAGES, np.uint8, "c", shape=shape) if shape[0] else np.zeros(shape, np.uint8)
        remarks = tuple(Remark(*entry) for entry in about["remarks"])
        digest = _digest_of_images(images)
        return _Pixels(images, bad, digest, remarks) if digest.hexdigest() == about["digest"] else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _digest_of_images(images: NDArray[np.uint8]) -> Any:
    digest = hashlib.sha256(json.dumps([DIGEST_VERSION, *images.shape]).encode())
    for first in range(0, len(images), ROWS_AT_ONCE):
        digest.update(images[first : first + ROWS_AT_ONCE].data)
    return digest


def _digest_of_labels(images: Any, classes: tuple[str, ...], labels: NDArray[np.int64]) -> str:
    digest = images.copy()
    digest.update(json.dumps([classes, labels.tolist()]).encode())
    return str(digest.hexdigest())


def _build(
    listing: Listing, options: PictureOptions, shape: tuple[int, ...], content: str, folder: Path, quiet: bool
) -> _Pixels:
    """Decode into a draft beside `folder`, which takes its name once it is complete.

    Raises:
        DataError: the pictures are no longer those of which `content` is the digest.
    """
    _make_room(folder.parent, math.prod(shape))
    draft = folder.with_name(f"{DRAFT}{secrets.token_hex(8)}")
    try:
        draft.mkdir()
        result = _decode(listing, options, _reserved(draft / IMAGES, shape), quiet)
        if result.content != content:
            raise DataError(
                f"{listing.path}: its pictures changed while they were read; try again when they are settled"
            )
        if not result.lasting:
            return result.pixels
        pixels = result.pixels
        about = {
            "shape": pixels.images.shape,
            "bad": list(pixels.bad.items()),
            "digest": pixels.digest.hexdigest(),
            "remarks": [astuple(remark) for remark in pixels.remarks],
        }
        with (draft / IMAGES).open("ab") as file:
            file.truncate(math.prod(pixels.images.shape))
        (draft / ABOUT).write_text(json.dumps(about))
        return _publish(draft, folder, len(listing.names)) or pixels
    except OSError as error:
        raise OutputError(f"{draft}: decoded images cannot be written: {error.strerror or error}") from None
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _reserved(path: Path, shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """A mapped file with its room on the disk: without that, a disk that fills up ends the process by SIGBUS."""
    if not math.prod(shape):
        path.touch()
        return np.zeros(shape, np.uint8)
    with path.open("wb") as file:
        file.truncate(math.prod(shape))
        try:
            os.posix_fallocate(file.fileno(), 0, math.prod(shape))
        except AttributeError:  # Windows and macOS
            pass
        except OSError as error:
            if error.errno not in (errno.EINVAL, errno.EOPNOTSUPP):  # of file systems that cannot
                raise
    return np.memmap(path, np.uint8, "r+", shape=shape)


def _publish(draft: Path, folder: Path, pictures: int) -> _Pixels | None:
    """What is now in `folder`: the draft, or what another process that was faster has put there."""
    if _open(folder, pictures) is None:
        shutil.rmtree(folder, ignore_errors=True)  # something damaged
        with suppress(OSError):  # the cache of another user: the draft, though removed, is read while it is open
            draft.rename(folder)
    return _open(folder, pictures)


def _make_room(folder: Path, size: int) -> None:
    """Remove what killed processes have left; raise OutputError where the disk has no room for `size` bytes."""
    for draft in folder.glob(f"{DRAFT}*"):
        with suppress(OSError):
            if time.time() - draft.stat().st_mtime > DRAFT_LIFETIME:
                shutil.rmtree(draft, ignore_errors=True)
    free = shutil.disk_usage(folder).free
    if size > free:
        raise OutputError(
            f"{folder}: decoded images need {size / 1e6:,.0f} MB, the disk has {free / 1e6:,.0f} MB left; set "
            "XDG_CACHE_HOME to a folder on a larger one"
        )


@dataclass(frozen=True)
class _Result:
    """What came of decoding: of which content, and whether it would come of it another time, too."""

    pixels: _Pixels
    content: str
    lasting: bool


def _decode(listing: Listing, options: PictureOptions, rows: NDArray[np.uint8], quiet: bool) -> _Result:
    """Decode every picture into its row of `rows`, then close the gaps that bad ones leave."""
    decode = decoder(options)
    noticed: list[list[tuple[str, float]]] = [[] for _ in listing.names]

    def work(index: int) -> tuple[str, str]:
        read = _read(listing, listing.names[index])
        if read.reason:
            return read.reason, read.digest
        try:
            rows[index] = decode(read.content, lambda *notice: noticed[index].append(notice))
        except (DataError, ValueError) as error:
            return str(error), read.digest
        return "", read.digest

    with progress(f"decoding {listing.path.name}", len(rows), "images", quiet=quiet) as advance:
        done = list(_in_threads(work, len(rows), advance))
    bad = {index: reason for index, (reason, _) in enumerate(done) if reason}
    good = [index for index in range(len(rows)) if index not in bad]
    for first in range(0, len(good) if bad else 0, ROWS_AT_ONCE):
        chosen = good[first : first + ROWS_AT_ONCE]
        rows[first : first + len(chosen)] = rows[chosen]
    images, digests = rows[: len(good)], [digest for _, digest in done]
    pixels = _Pixels(images, bad, _digest_of_images(images), summarise(listing.names, noticed))
    lasting = all(digests) and NO_MEMORY not in bad.values()
    return _Result(pixels, _digest_of_all(listing, digests), lasting)


def _in_threads(work: Callable[[int], Any], count: int, advance: Callable[[int], None]) -> Iterator[Any]:
    """Results of `work` for 0 .. count - 1, in order; pillow decodes and resizes outside of Python's lock."""
    pool = ThreadPoolExecutor(min(available_cpus(), MAX_THREADS))
    try:
        for result in pool.map(work, range(count)):
            advance(1)
            yield result
    finally:
        pool.shutdown(cancel_futures=True)
