"""What is found in a folder or archive of pictures: its pictures, the bad ones among them, and what is left out."""

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from typing import IO

from gan_runtime.errors import DataError

VERSION = 5  # of what counts as a picture, and under which name
SUFFIXES = frozenset(
    ".png .apng .jpg .jpeg .jpe .jfif .webp .gif .bmp .tif .tiff .ppm .pgm .pbm .pnm .avif".split()  # noqa: SIM905
)
UNREADABLE = frozenset([".heic", ".heif", ".hif", ".jxl", ".jp2", ".tga"])  # pictures all the same: counted as bad
MAX_FILE_BYTES = 256 * 2**20
TICK = 3 * 10**9  # nanoseconds; file systems keep times to 2 seconds (FAT) and finer
LEFT_OUT = {  # what desktops, cameras' programs, file servers and archivers leave beside pictures, in lower case
    "@*": "server folders",  # @eaDir of Synology, @Recycle of QNAP
    "#recycle": "server folders",
    "#snapshot": "server folders",
    "lost+found": "server folders",
    "synofile_thumb_*": "thumbnails",
    "synophoto_thumb_*": "thumbnails",
    "thumbs.db": "thumbnails",
    "ehthumbs*.db": "thumbnails",
    "desktop.ini": "system files",
    "$recycle.bin": "system files",
    "system volume information": "system files",
    "__macosx": "system files",
    ".?*": "hidden",  # .DS_Store, ._x.jpg, .thumbnails, .AppleDouble, .Trash-1000, .ipynb_checkpoints, .git
}


@dataclass(frozen=True)
class Bad:
    """A file that should be a picture and is none, and why."""

    name: str
    reason: str


@dataclass(frozen=True)
class Listing:
    """The pictures of a folder or archive by name, sorted.

    Args:
        path: of the folder or archive.
        names: of the pictures, with "/" between folders.
        bad: what should be a picture and cannot be read, as far as it shows without decoding.
        folders: those that were looked into, whether they have pictures or not.
        ignored: number of files without the suffix of a picture.
        left_out: how many caches, thumbnails and hidden files or folders there are, by kind; none was looked into.
        label_file: name of the dataset.json of StyleGAN's dataset tool, "" if there is none.
        stamp: changes with any of their names, sizes and times. It is empty where one has changed so recently that it
            may change again within the same tick of the clock, and nobody would notice.
        read: returns the bytes of a picture or of the label file. Raises DataError or OSError.
    """

    path: Path
    names: tuple[str, ...]
    bad: tuple[Bad, ...]
    folders: frozenset[str]
    ignored: int
    left_out: dict[str, int]
    label_file: str
    stamp: str
    read: Callable[[str], bytes] = field(repr=False)


def is_picture(name: str) -> bool:
    """Whether a file of this name should be a picture."""
    return PurePosixPath(name).suffix.lower() in SUFFIXES | UNREADABLE


def why_not_decodable(name: str) -> str:
    """Why a picture of this name cannot be decoded, or nothing."""
    suffix = PurePosixPath(name).suffix.lower()
    return f"{suffix[1:].upper()} is not read; convert it to PNG or JPEG" if suffix in UNREADABLE else ""


def why_left_out(name: str) -> str:
    """The kind of a file or folder that is no picture of the user's; nothing if it may be one."""
    kinds = (kind for pattern, kind in LEFT_OUT.items() if fnmatchcase(name.lower(), pattern))
    return "" if name == ".." else next(kinds, "")


def shallowest(label_files: list[str]) -> str:
    """The label file that is about all pictures; "" if there is none."""
    return min(label_files, key=lambda name: (name.count("/"), name), default="")


def read_limited(file: IO[bytes]) -> bytes:
    """All of a file. Raises DataError where it is longer than a picture may be."""
    content = file.read(MAX_FILE_BYTES + 1)
    if reason := why_too_large(len(content)):
        raise DataError(reason)
    return content


def why_too_large(size: int) -> str:
    """Why a file of so many bytes is not read, or nothing."""
    most = MAX_FILE_BYTES // 2**20
    return f"{size / 2**20:,.0f} MiB or more; at most {most} MiB are read" if size > MAX_FILE_BYTES else ""


def in_order(bad: list[Bad]) -> tuple[Bad, ...]:
    """Sorted by name."""
    return tuple(sorted(bad, key=lambda entry: entry.name))


def stat_stamp(path: Path) -> str:
    """What changes when the file at `path` does, without reading it; nothing if it has changed just now."""
    info = path.stat()
    if max(info.st_mtime_ns, info.st_ctime_ns) > time.time_ns() - TICK:
        return ""
    return f"{info.st_size} {info.st_mtime_ns} {info.st_ctime_ns} {info.st_ino}"


def stamp_of(root: Path, stamps: dict[str, str]) -> str:
    """The stamp of a listing, of those of its files by name; nothing if one has none."""
    lines = (f"{name!a} {stamp}" for name, stamp in sorted(stamps.items()))
    text = "\n".join([f"{VERSION} {str(root)!a}", *lines])
    return hashlib.sha256(text.encode()).hexdigest() if all(stamps.values()) else ""
