"""Decoded pictures in the user's cache: one memory-mapped array per content and options, built once on all cores."""

import hashlib
import json
import math
import secrets
import shutil
import tempfile
import time
import warnings
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gan_runtime.commandline import note
from gan_runtime.cpus import available_cpus
from gan_runtime.datasets.listing import Bad, Listing, class_names, open_pictures, refuse_one_class
from gan_runtime.datasets.pictures import MODES, PictureOptions, decoder
from gan_runtime.datasets.places import cache_folder
from gan_runtime.errors import DataError, OutputError
from gan_runtime.files import atomic_write
from gan_runtime.progress import progress

VERSION = 2  # of the way from files to arrays: with another one, other arrays
IMAGES, ABOUT = "images.u8", "about.json"
MAX_THREADS = 16  # each may hold a picture of hundreds of megabytes
DRAFT = ".new-"
DRAFT_LIFETIME = 24 * 3600  # seconds after which a draft is taken for that of a killed process
ROWS_AT_ONCE = 1024


@dataclass(frozen=True)
class Decoded:
    """Images uint8 [n, size, size, channels] of the usable pictures in order of their names, and all about the rest."""

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]
    classes: tuple[str, ...]
    bad: tuple[Bad, ...]
    ignored: int
    digest: str


def decoded(path: Path, options: PictureOptions, quiet: bool = False) -> Decoded:
    """The pictures of a folder or .zip archive, from the cache where they have been decoded before.

    Raises:
        DataError: the folder or archive as a whole cannot be used.
        OutputError: the disk has no room for the decoded images.
    """
    with open_pictures(path) as listing:
        classes = class_names(listing) if options.labels == "folders" else {}
        shape = (len(listing.names), options.size, options.size, MODES[options.mode])
        cache = _usable_cache(quiet)
        if cache is None:
            return _decode(listing, options, classes, np.zeros(shape, np.uint8), quiet)
        folder = cache / "decoded" / _key(_content(listing, cache, quiet), options)
        return _open(folder) or _build(listing, options, classes, shape, folder, quiet)


def _usable_cache(quiet: bool) -> Path | None:
    cache = cache_folder()
    if cache is None:
        return None
    try:
        for name in ("decoded", "contents"):
            (cache / name).mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=cache / "decoded"):
            return cache
    except OSError as error:
        if not quiet:
            note(f"{cache}: cannot be used ({error.strerror}); pictures are decoded into memory, each time anew")
        return None


def _content(listing: Listing, cache: Path, quiet: bool) -> str:
    """Digest of all contents; remembered for as long as no file changes its size or its times."""
    memory = cache / "contents" / listing.stamp
    with suppress(OSError):
        return memory.read_text().strip()
    with progress(f"reading {listing.path.name}", len(listing.names), "images", quiet=quiet) as advance:
        digest = listing.digest(advance)
    with atomic_write(memory) as file:
        file.write(digest.encode())
    return digest


def _key(content: str, options: PictureOptions) -> str:
    import PIL  # noqa: PLC0415

    what = [VERSION, PIL.__version__, content, options.size, options.mode, options.background, options.labels]
    return hashlib.sha256(json.dumps(what).encode()).hexdigest()[:32]


def _open(folder: Path) -> Decoded | None:
    """What an earlier call has left in `folder`; None where there is nothing, or something damaged."""
    try:
        about = json.loads((folder / ABOUT).read_text())
        shape = tuple(about["shape"])
        if (folder / IMAGES).stat().st_size != math.prod(shape) or len(about["labels"]) != shape[0]:
            return None
        # A private view: whatever is written to it stays in memory.
        images = np.memmap(folder / IMAGES, np.uint8, "c", shape=shape) if shape[0] else np.zeros(shape, np.uint8)
        bad = tuple(Bad(*entry) for entry in about["bad"])
        labels = np.array(about["labels"], np.int64)
        return Decoded(images, labels, tuple(about["classes"]), bad, int(about["ignored"]), str(about["digest"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _build(
    listing: Listing,
    options: PictureOptions,
    classes: dict[str, str],
    shape: tuple[int, ...],
    folder: Path,
    quiet: bool,
) -> Decoded:
    """Decode into a draft beside `folder`, which takes its name once it is complete."""
    _make_room(folder.parent, math.prod(shape))
    draft = folder.with_name(f"{DRAFT}{secrets.token_hex(8)}")
    try:
        draft.mkdir()
        rows = np.memmap(draft / IMAGES, np.uint8, "w+", shape=shape) if shape[0] else np.zeros(shape, np.uint8)
        result = _decode(listing, options, classes, rows, quiet)
        about = vars(result) | {
            "shape": result.images.shape,
            "images": IMAGES,
            "labels": result.labels.tolist(),
            "bad": [[entry.name, entry.reason] for entry in result.bad],
        }
        if isinstance(rows, np.memmap):
            rows.flush()
        with (draft / IMAGES).open("ab") as file:
            file.truncate(math.prod(result.images.shape))
        (draft / ABOUT).write_text(json.dumps(about))
        return _publish(draft, folder) or result
    except OSError as error:
        raise OutputError(f"{draft}: decoded images cannot be written: {error.strerror or error}") from None
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _publish(draft: Path, folder: Path) -> Decoded | None:
    """What is now in `folder`: the draft, or what another process that was faster has put there."""
    if _open(folder) is None:
        shutil.rmtree(folder, ignore_errors=True)  # something damaged
        with suppress(OSError):  # the cache of another user: the draft, though removed, is read while it is open
            draft.rename(folder)
    return _open(folder)


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


def _decode(
    listing: Listing, options: PictureOptions, classes: dict[str, str], rows: NDArray[np.uint8], quiet: bool
) -> Decoded:
    """Decode every picture into its row of `rows`, then close the gaps that bad ones leave."""
    decode = decoder(options)

    def work(index: int) -> str:
        try:
            rows[index] = decode(listing.read(listing.names[index]))
        except (DataError, OSError, zipfile.BadZipFile, NotImplementedError, ValueError) as error:
            return str(error)
        return ""

    with progress(f"decoding {listing.path.name}", len(rows), "images", quiet=quiet) as advance:
        reasons = list(_in_threads(work, len(rows), advance))
    bad = [Bad(name, reason) for name, reason in zip(listing.names, reasons, strict=True) if reason]
    good = [index for index, reason in enumerate(reasons) if not reason]
    digest = hashlib.sha256(json.dumps([VERSION, len(good), *rows.shape[1:]]).encode())
    for first in range(0, len(good), ROWS_AT_ONCE):
        chosen = good[first : first + ROWS_AT_ONCE]
        rows[first : first + len(chosen)] = rows[chosen]
        digest.update(rows[first : first + len(chosen)].data)
    names = tuple(sorted({classes[listing.names[index]] for index in good} if classes else ()))
    refuse_one_class(listing.path, names)
    numbers = {name: number for number, name in enumerate(names)}
    labels = np.array([numbers[classes[listing.names[index]]] if names else 0 for index in good], np.int64)
    digest.update(json.dumps([names, labels.tolist()]).encode())
    every = tuple(sorted([*bad, *listing.bad], key=lambda entry: entry.name))
    return Decoded(rows[: len(good)], labels, names, every, listing.ignored, digest.hexdigest())


def _in_threads(work: Callable[[int], Any], count: int, advance: Callable[[int], None]) -> Iterator[Any]:
    """Results of `work` for 0 .. count - 1, in order; pillow decodes and resizes outside of Python's lock."""
    pool = ThreadPoolExecutor(min(available_cpus(), MAX_THREADS))
    try:
        with warnings.catch_warnings():  # for the whole process: around all threads, never within one
            _make_strict()
            for result in pool.map(work, range(count)):
                advance(1)
                yield result
    finally:
        pool.shutdown(cancel_futures=True)


def _make_strict() -> None:
    """Make decompression bombs errors, and drop pillow's remarks on odd files."""
    from PIL import Image  # noqa: PLC0415

    warnings.simplefilter("ignore")
    warnings.simplefilter("error", Image.DecompressionBombWarning)
