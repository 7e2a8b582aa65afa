"""The decode cache: memory-mapped images in a folder of entries, with a size limit.

An entry is a folder that is named by a digest of the source of its images. A process that maps the images of an entry
holds a shared lock on them. Unlocked entries are evicted, least recently used first, to make room for new ones. Images
are compared with a digest whenever they are opened (26 ms for 60,000 images of 28 x 28, measured
on one core of an EPYC).
"""

import errno
import hashlib
import json
import math
import os
import secrets
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gan_runtime.errors import InputError, OutputError
from gan_runtime.files import lock

VARIABLE, DEFAULT_MB = "GAN_EDGE_CACHE_MB", 20_000
IMAGES, ABOUT, DRAFT = "images.u8", "about.json", ".new-"
DIGEST_VERSION = 2  # of the digests that runs record; the digest of the same images must not change
DRAFT_GRACE = 3600.0  # seconds after which a draft without a lock is abandoned
ROWS_AT_ONCE = 1024


def size_limit() -> int:
    """The size in bytes that the cache should not exceed. Raises InputError."""
    given = os.environ.get(VARIABLE) or str(DEFAULT_MB)
    if not given.isascii() or not given.isdecimal():
        raise InputError(f"{VARIABLE}={given}: must be a size in MB, an integer of at least 0")
    return int(given) * 10**6


def obstacle(folder: Path) -> str:
    """Create the folder of the cache and return why nothing can be written there, "" if it can."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return ""
    except OSError as error:
        return error.strerror or str(error)


def digest_of_images(images: NDArray[np.uint8]) -> Any:
    """The running SHA-256 of shape and content."""
    digest = hashlib.sha256(json.dumps([DIGEST_VERSION, *images.shape]).encode())
    for first in range(0, len(images), ROWS_AT_ONCE):
        digest.update(images[first : first + ROWS_AT_ONCE].data)
    return digest


def open_entry(entry: Path) -> tuple[NDArray[np.uint8], Any, dict[str, Any]] | None:
    """Images, their running digest, and what `publish` was given; None if the entry is missing or damaged.

    The images are a private view: writing to them does not change the file.
    """
    try:
        about = json.loads((entry / ABOUT).read_text())
        shape = tuple(about["shape"])
        if (entry / IMAGES).stat().st_size != math.prod(shape):
            return None
        images = _mapped(entry / IMAGES, "rb", "c", shape)
        digest = digest_of_images(images)
        if digest.hexdigest() != about["digest"]:
            return None
    except (OSError, ValueError, KeyError, TypeError):
        return None
    with suppress(OSError):  # the cache may be read-only
        os.utime(entry)
    return images, digest, about


@contextmanager
def new_draft(folder: Path, shape: tuple[int, ...]) -> Iterator[tuple[Path, NDArray[np.uint8]]]:
    """A folder for a new entry and its images, to be filled; removed at the end of the block unless it was published.

    Raises:
        InputError: as `size_limit`.
        OutputError: the disk has no room for the images.
    """
    _make_room(folder, math.prod(shape))
    draft = folder / f"{DRAFT}{secrets.token_hex(8)}"
    try:
        draft.mkdir()
        yield draft, _reserved(draft / IMAGES, shape)
    except OSError as error:
        raise OutputError(f"{draft}: decoded images cannot be written: {error.strerror or error}") from None
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def publish(draft: Path, entry: Path, images: NDArray[np.uint8], digest: str, about: dict[str, Any]) -> None:
    """Turn a draft, whose first rows are `images`, into an entry, unless another process has created an intact one."""
    with (draft / IMAGES).open("ab") as file:
        file.truncate(images.nbytes)
    (draft / ABOUT).write_text(json.dumps(about | {"shape": images.shape, "digest": digest}))
    if open_entry(entry) is None:
        shutil.rmtree(entry, ignore_errors=True)  # it is damaged
        with suppress(OSError):  # another process was faster
            draft.rename(entry)


def _mapped(path: Path, mode: str, access: Any, shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """The file as an array that holds a shared lock: the lock belongs to the descriptor, and the map keeps a copy."""
    if not math.prod(shape):
        return np.zeros(shape, np.uint8)
    with path.open(mode) as file:
        lock(file.fileno(), wait=True, shared=True)
        return np.memmap(file, np.uint8, access, shape=shape)


def _reserved(path: Path, shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """A mapped file whose space is allocated: otherwise a disk that fills up ends the process by SIGBUS."""
    with path.open("wb") as file:
        file.truncate(math.prod(shape))
        try:
            os.posix_fallocate(file.fileno(), 0, max(1, math.prod(shape)))
        except AttributeError:  # Windows and macOS
            pass
        except OSError as error:
            if error.errno not in (errno.EINVAL, errno.EOPNOTSUPP):  # the file system cannot
                raise
    return _mapped(path, "r+b", "r+", shape)


def _make_room(folder: Path, size: int) -> None:
    """Evict unused entries, least recently used first, until `size` more bytes fit into the limit and onto the disk.

    Files of killed processes are removed as well. An entry that is larger than the limit is kept while it is used.

    Raises:
        OutputError: they do not fit onto the disk.
    """
    limit, used = size_limit(), size
    for entry in sorted(folder.iterdir(), key=_last_use, reverse=True):
        used += _size(entry)
        stale = entry.name.startswith(DRAFT) and time.time() - _last_use(entry) > DRAFT_GRACE
        if stale or (used > limit and not entry.name.startswith(DRAFT)):
            _evict(entry)
    for entry in sorted(folder.glob("[!.]*"), key=_last_use):
        if shutil.disk_usage(folder).free < size:
            _evict(entry)
    free = shutil.disk_usage(folder).free
    if size > free:
        raise OutputError(
            f"{folder}: decoded images need {size / 1e6:,.0f} MB, the disk has {free / 1e6:,.0f} MB left; set "
            "XDG_CACHE_HOME to a folder on a larger one"
        )


def _last_use(entry: Path) -> float:
    with suppress(OSError):
        return entry.stat().st_mtime
    return 0.0


def _size(entry: Path) -> int:
    with suppress(OSError):
        return (entry / IMAGES).stat().st_size
    return 0


def _evict(entry: Path) -> None:
    """Remove an entry or draft if nobody uses it."""
    with suppress(OSError), (entry / IMAGES).open("a+b") as file:
        if lock(file.fileno()):
            shutil.rmtree(entry)
