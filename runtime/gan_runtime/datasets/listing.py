"""Which pictures a folder or a .zip archive holds, and which of its entries can be none, without decoding any."""

import hashlib
import os
import stat
import time
import zipfile
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path, PurePath, PurePosixPath

from gan_runtime.errors import DataError

SUFFIXES = frozenset(
    ".png .jpg .jpeg .jfif .webp .gif .bmp .tif .tiff .ppm .pgm .pbm .pnm .avif".split()  # noqa: SIM905
)
UNREADABLE = frozenset([".heic", ".heif", ".jxl", ".jp2", ".tga"])  # pictures all the same: not to be passed over
MAX_FILE_BYTES = 256 * 2**20
TICK = 3 * 10**9  # nanoseconds; file systems keep times to 2 seconds (FAT) and finer
ZIP_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # at most 1032 to 1: no other one is needed for pictures


@dataclass(frozen=True)
class Bad:
    """A file that should be a picture and is none, and why."""

    name: str
    reason: str


@dataclass(frozen=True)
class Listing:
    """The pictures of a folder or archive by name, sorted; `read` returns the bytes of one.

    `stamp` changes with any of their names, sizes and times. It is empty where one has changed so recently that it may
    change again within the same tick of the clock, and nobody would notice.
    """

    path: Path
    names: tuple[str, ...]
    bad: tuple[Bad, ...]
    ignored: int
    stamp: str
    read: Callable[[str], bytes] = field(repr=False)


@contextmanager
def open_pictures(path: Path) -> Iterator[Listing]:
    """List the pictures of a folder or .zip archive; they can be read within the block.

    A file counts as a picture by its suffix. Hidden files and what macOS adds to archives are passed over; other files
    are counted as ignored.

    Raises:
        DataError: the folder cannot be listed, or the archive is damaged or a zip bomb.
    """
    if path.is_dir():
        yield _list_folder(path)
        return
    try:
        with zipfile.ZipFile(path) as archive:
            yield _list_archive(path, archive)
    except (zipfile.BadZipFile, EOFError, NotImplementedError) as error:
        raise DataError(f"{path}: not a .zip archive, or a damaged one: {error}; make it anew") from None
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from None


def class_names(listing: Listing) -> dict[str, str]:
    """The class of each picture: the sub-folder that it lies in, below the folders that all of them share.

    Raises:
        DataError: a picture lies in no sub-folder, all of them lie in one, or a class would have a name that is none.
    """
    parts = {name: PurePosixPath(name).parts for name in listing.names}
    depth = 0
    while parts and len({p[depth] for p in parts.values()}) == 1 and min(map(len, parts.values())) > depth + 2:
        depth += 1
    for name, found in parts.items():
        if len(found) < depth + 2:
            raise DataError(
                f"{listing.path}: {name} lies in no sub-folder, so it has no class; move it into one, or leave out "
                "--labels folders"
            )
    classes = {name: found[depth] for name, found in parts.items()}
    for name in set(classes.values()):
        if not name.isprintable():  # neither is what is no UTF-8; and no manifest could hold it
            raise DataError(f"{listing.path}: the sub-folder {name!a} cannot be the name of a class; rename it")
    refuse_one_class(listing.path, set(classes.values()))
    return classes


def refuse_one_class(path: Path, names: Collection[str]) -> None:
    """Raise DataError where all pictures lie in one sub-folder."""
    if len(names) == 1:
        raise DataError(
            f"{path}: all pictures lie in one sub-folder, {next(iter(names))}, and one class is none; leave out "
            "--labels folders"
        )


def _list_folder(folder: Path) -> Listing:
    root = folder.resolve()
    good: list[str] = []
    bad: list[Bad] = []
    ignored = 0
    stamps: list[str] = []

    def unlisted(error: OSError) -> None:
        bad.append(Bad(_relative(Path(error.filename), folder), f"cannot be listed: {error.strerror}"))

    for place, folders, files in os.walk(folder, onerror=unlisted):
        folders[:] = sorted(name for name in folders if not _hidden(name))
        for name in folders:
            inner = Path(place) / name
            if inner.is_symlink():
                bad.append(Bad(_relative(inner, folder), "a link to a folder, which is not followed"))
        for name in files:
            path = Path(place) / name
            if _hidden(name) or not _is_picture(path):
                ignored += not _hidden(name)
                continue
            relative = _relative(path, folder)
            reason = _not_decodable(path) or _not_readable(path, root)
            if reason:
                bad.append(Bad(relative, reason))
            else:
                good.append(relative)
                stamp = _stamp(path)
                stamps.append(stamp and f"{relative!a} {stamp}")

    def read(name: str) -> bytes:
        with (root / name).open("rb") as file:
            return _limited(file.read(MAX_FILE_BYTES + 1))

    stamp = _digest("\n".join([f"{str(root)!a}", *sorted(stamps)])) if all(stamps) else ""
    return Listing(folder, tuple(sorted(good)), _sorted(bad), ignored, stamp, read)


def _list_archive(path: Path, archive: zipfile.ZipFile) -> Listing:
    entries: dict[str, zipfile.ZipInfo] = {}
    bad: list[Bad] = []
    ignored = 0
    infos = archive.infolist()
    _refuse_overlaps(path, infos)
    for info in infos:
        parts = PurePosixPath(info.filename).parts
        if info.is_dir() or any(_hidden(part) or part == "__MACOSX" for part in parts):
            continue
        if not _is_picture(PurePosixPath(info.filename)):
            ignored += 1
            continue
        reason = _not_usable(info) or ("occurs twice in the archive" if info.filename in entries else "")
        if reason:
            bad.append(Bad(info.filename, reason))
        else:
            entries[info.filename] = info

    def read(name: str) -> bytes:
        with archive.open(entries[name]) as file:
            return _limited(file.read(MAX_FILE_BYTES + 1))

    times = _stamp(path)
    stamp = _digest(f"{str(path.resolve())!a} {times}") if times else ""
    return Listing(path, tuple(sorted(entries)), _sorted(bad), ignored, stamp, read)


def _is_picture(path: PurePath) -> bool:
    return path.suffix.lower() in SUFFIXES | UNREADABLE


def _not_decodable(path: PurePath) -> str:
    suffix = path.suffix.lower()
    return f"{suffix[1:].upper()} is not read; convert it to PNG or JPEG" if suffix in UNREADABLE else ""


def _not_readable(path: Path, root: Path) -> str:
    """Why the file at `path` is not read, or nothing."""
    try:
        target = path.resolve(strict=True)
        mode = target.stat().st_mode
    except (OSError, RuntimeError):  # a loop of links
        return "a broken link" if path.is_symlink() else "cannot be read"
    if not target.is_relative_to(root):
        return f"a link that leads out of the folder, to {target}"
    if not stat.S_ISREG(mode):
        return "not a regular file"
    return "" if os.access(target, os.R_OK) else "may not be read by this user"


def _not_usable(info: zipfile.ZipInfo) -> str:
    """Why an entry of an archive is not read, or nothing."""
    name = info.filename
    if name.startswith("/") or "\\" in name or ".." in PurePosixPath(name).parts:
        return "its name leads out of the archive"
    if stat.S_ISLNK(info.external_attr >> 16):
        return "a link"
    if info.flag_bits & 1:
        return "encrypted"
    if info.compress_type not in ZIP_METHODS:
        return f"compressed by method {info.compress_type}; only deflate is read"
    if info.file_size > MAX_FILE_BYTES:
        return _too_large(info.file_size)
    return _not_decodable(PurePosixPath(name))


def _refuse_overlaps(path: Path, infos: list[zipfile.ZipInfo]) -> None:
    """Entries that share their bytes are how a small archive becomes petabytes (Fifield 2019)."""
    ordered = sorted(infos, key=lambda info: info.header_offset)
    for one, following in pairwise(ordered):
        if one.header_offset + 30 + one.compress_size > following.header_offset:
            raise DataError(
                f"{path}: a zip bomb: {one.filename!a} and {following.filename!a} share their bytes; do not use it"
            )


def _limited(content: bytes) -> bytes:
    if len(content) > MAX_FILE_BYTES:
        raise DataError(_too_large(len(content)))
    return content


def _too_large(size: int) -> str:
    return f"{size / 2**20:,.0f} MiB or more; at most {MAX_FILE_BYTES // 2**20} MiB are read"


def _hidden(name: str) -> bool:
    return name.startswith(".") and name not in (".", "..")


def _relative(path: Path, folder: Path) -> str:
    return path.relative_to(folder).as_posix()


def _stamp(path: Path) -> str:
    """What changes when the file at `path` does, without reading it; nothing if it has changed just now."""
    info = path.stat()
    if max(info.st_mtime_ns, info.st_ctime_ns) > time.time_ns() - TICK:
        return ""
    return f"{info.st_size} {info.st_mtime_ns} {info.st_ctime_ns} {info.st_ino}"


def _sorted(bad: list[Bad]) -> tuple[Bad, ...]:
    return tuple(sorted(bad, key=lambda entry: entry.name))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
