"""Write whole files or none: a temporary neighbour first, then a rename."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from gan_runtime.errors import OutputError


def check_writable(path: Path) -> None:
    """Refuse an output path before any work is done for it.

    Raises:
        OutputError: the folder is missing or not writable, or `path` is itself a folder.
    """
    folder = path.parent
    if not folder.exists():
        raise OutputError(f"{path}: the folder {folder} does not exist; create it first")
    if not folder.is_dir():
        raise OutputError(f"{path}: {folder} is not a folder")
    if path.is_dir():
        raise OutputError(f"{path}: is a folder; name a file")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise OutputError(f"{path}: the folder {folder} is not writable")


@contextmanager
def atomic_write(path: Path, *, durable: bool = False) -> Iterator[BinaryIO]:
    """Open a temporary neighbour of `path`; it takes the place of `path` once the block ends without an error.

    Args:
        path: the file to create or replace.
        durable: also wait until the bytes are on the disk (for checkpoints).

    Raises:
        OutputError: the folder is not usable or the disk is full; `path` is then as it was.
    """
    check_writable(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            yield file
            if durable:
                file.flush()
                os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        raise OutputError(f"{path}: cannot be written: {error.strerror or error}") from error
    finally:
        with suppress(OSError):
            temporary.unlink()
