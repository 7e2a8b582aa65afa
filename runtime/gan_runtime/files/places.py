"""Checks of the place of an output before any work is done for it."""

import os
import shutil
from pathlib import Path

from gan_runtime.errors import OutputError


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
