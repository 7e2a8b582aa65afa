"""Write whole files or none: a temporary neighbour first, then a rename."""

import os
import secrets
import shutil
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from gan_runtime.errors import OutputError

try:
    import fcntl
except ImportError:  # Windows: two processes on one thing are not noticed there
    fcntl = None  # type: ignore[assignment]

TEMPORARY = ".gan-edge-*.tmp"


def check_writable(path: Path) -> None:
    """Refuse an output path before any work is done for it.

    Raises:
        OutputError: the folder is missing or not writable, or something other than a file is at `path`.
    """
    folder = path.parent
    if not folder.exists():
        raise OutputError(f"{path}: the folder {folder} does not exist; create it first")
    if not folder.is_dir():
        raise OutputError(f"{path}: {folder} is not a folder")
    if path.exists() and not path.is_file():
        raise OutputError(f"{path}: is {'a folder' if path.is_dir() else 'not a regular file'}; name a file")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise OutputError(f"{path}: the folder {folder} is not writable")


def check_space(path: Path, size: int) -> None:
    """Raise OutputError where the disk of `path` has no room for `size` bytes: better now than after hours."""
    free = shutil.disk_usage(path.parent).free
    if size > free:
        raise OutputError(
            f"{path}: needs {size / 1e6:,.0f} MB, the disk has {free / 1e6:,.0f} MB left; ask for fewer images"
        )


@contextmanager
def atomic_write(path: Path, *, durable: bool = False) -> Iterator[BinaryIO]:
    """Open a temporary neighbour of `path`; it takes the place of `path` once the block ends without an error.

    Args:
        path: the file to create or replace; where it is a link, the file that the link leads to.
        durable: also wait until the bytes are on the disk (for checkpoints).

    Raises:
        OutputError: the folder is not usable or the disk is full; `path` is then as it was.
    """
    target = Path(os.path.realpath(path))
    check_writable(target)
    temporary = target.with_name(_temporary(target, secrets.token_hex(8)))
    try:
        with temporary.open("xb") as file:
            yield file
            if durable:
                file.flush()
                os.fsync(file.fileno())
        temporary.replace(target)
    except OSError as error:
        raise OutputError(f"{path}: cannot be written: {error.strerror or error}") from error
    finally:
        with suppress(OSError):
            temporary.unlink()


def lock(descriptor: int, *, wait: bool = False) -> bool:
    """Take the lock of an open file or folder, which ends with the process, however that ends.

    Returns:
        False where another process has it, unless `wait` is set. Where there are no locks nobody has one.
    """
    if fcntl is None:
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        return False
    except OSError:  # a file system without locks
        pass
    return True


def remove_leftovers(folder: Path) -> None:
    """Remove what a process that was killed in the middle of `atomic_write` left in `folder`."""
    _remove(folder, TEMPORARY)


def remove_leftovers_of(path: Path) -> None:
    """As `remove_leftovers`, but only what was to become `path`: others may be writing in the same folder."""
    _remove(path.parent, _temporary(path, "*"))


def _remove(folder: Path, pattern: str) -> None:
    for path in folder.glob(pattern):
        with suppress(OSError):
            path.unlink()


def _temporary(target: Path, token: str) -> str:
    """Name of a temporary neighbour: says for which file, and is short however long that one's name."""
    return TEMPORARY.replace("*", f"{zlib.crc32(os.fsencode(target.name)):08x}-{token}")
