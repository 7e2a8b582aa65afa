"""Write whole files or none: a temporary neighbour first, then a rename."""

import io
import os
import stat
import zlib
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

from gan_runtime.errors import OutputError
from gan_runtime.files.places import check_writable

TEMPORARY = ".gan-edge-*.tmp"
BUFFER = 2**16  # bytes: each call of the system has a price


@contextmanager
def atomic_write(path: Path, *, durable: bool = False) -> Iterator[BinaryIO]:
    """Open a temporary neighbour of `path`; it takes the place of `path` once the block ends without an error.

    A file that is replaced passes on its permissions, and its owner and group as far as this user may give files away;
    a new one has those of any new file (umask). Other names of a file (hard links) keep the old content.

    Args:
        path: the file to create or replace; where it is a link, the file that the link leads to.
        durable: also wait until the bytes are on the disk (for checkpoints).

    Raises:
        OutputError: the folder is not usable or the disk is full; `path` is then as it was. Whatever else goes wrong in
            the block, reading something for instance, is raised as it is.
    """
    target = Path(os.path.realpath(path))
    check_writable(target)
    temporary = target.with_name(_temporary(target, os.urandom(8).hex()))
    try:
        with _blaming(path):
            raw = _Target(temporary, "xb")
            raw.path = path
        with closing(io.BufferedWriter(raw, BUFFER)) as file:
            yield file
            with _blaming(path):
                file.flush()
                if durable:
                    os.fsync(raw.descriptor)
        with _blaming(path):
            _pass_on(target, temporary)
            temporary.replace(target)
            if durable:
                _sync_folder(target.parent)
    finally:
        with suppress(OSError):
            temporary.unlink()


class _Target(io.FileIO):
    """A file whose own errors name the path that was asked for: the block may run into errors of other files."""

    path: Path

    def write(self, content: Any) -> int:
        with _blaming(self.path):
            return super().write(content)

    @property
    def descriptor(self) -> int:
        return super().fileno()

    def fileno(self) -> int:
        """None: Pillow and numpy would write past `write`, and say nothing of the reason if it fails."""
        raise io.UnsupportedOperation("fileno")


@contextmanager
def _blaming(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise OutputError(f"{path}: cannot be written: {error.strerror or error}") from error


def _pass_on(target: Path, temporary: Path) -> None:
    """Give the permissions and, where possible, the owner of `target` to what replaces it."""
    try:
        old = target.stat()
    except FileNotFoundError:
        return
    new = temporary.stat()
    if hasattr(os, "chown") and (old.st_uid, old.st_gid) != (new.st_uid, new.st_gid):
        for owner in (old.st_uid, -1):  # the group alone may be given where the owner may not
            with suppress(OSError):
                os.chown(temporary, owner, old.st_gid)
                break
    temporary.chmod(stat.S_IMODE(old.st_mode))  # after chown, which takes some of them away


def _sync_folder(folder: Path) -> None:
    """Put a new name on the disk, where folders can be synced."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def remove_leftovers(folder: Path) -> None:
    """Remove what a process that was killed in the middle of `atomic_write` left in `folder`."""
    _remove(folder.glob(TEMPORARY))


def remove_leftovers_of(folder: Path, names: Iterable[str]) -> None:
    """As `remove_leftovers`, but only what was to become files of these names: others may be writing in `folder`."""
    marks = {_mark(name) for name in names}
    _remove(path for path in folder.glob(TEMPORARY) if path.name.split("-")[2] in marks)


def _remove(paths: Iterable[Path]) -> None:
    for path in paths:
        with suppress(OSError):
            path.unlink()


def _temporary(target: Path, token: str) -> str:
    """Name of a temporary neighbour: says for which file, and is short however long that one's name."""
    return TEMPORARY.replace("*", f"{_mark(target.name)}-{token}")


def _mark(name: str) -> str:
    return f"{zlib.crc32(os.fsencode(name)):08x}"
