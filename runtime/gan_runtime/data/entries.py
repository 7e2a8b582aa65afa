"""The listing of a folder or archive, and the rules which of its files are pictures."""

import hashlib
import time
from collections.abc import Callable, Sequence
from dataclasses import field, replace
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from typing import IO

from gan_runtime.errors import DataError
from gan_runtime.records import record

VERSION = 5  # of the rules which files are pictures, and of their names
SUFFIXES = frozenset(
    ".png .apng .jpg .jpeg .jpe .jfif .webp .gif .bmp .tif .tiff .ppm .pgm .pbm .pnm .avif".split()  # noqa: SIM905
)
UNREADABLE = frozenset(
    [".heic", ".heif", ".hif", ".jxl", ".jp2", ".tga"]
)  # formats that are not supported: bad pictures
MAX_FILE_BYTES = 256 * 2**20
TICK = 3 * 10**9  # nanoseconds; the resolution of file times is up to 2 seconds (FAT)
LEFT_OUT = {  # files and folders of desktops, cameras, file servers and archivers, in lower case
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


@record(frozen=True)
class Bad:
    """A picture that cannot be used, and the reason."""

    name: str
    reason: str


@record(frozen=True)
class Listing:
    """The pictures of a folder or archive by name, sorted.

    Args:
        path: the folder or archive.
        names: the names of the pictures, with "/" between folders.
        bad: pictures that cannot be used for a reason that is known without decoding.
        folders: all folders that were listed, with or without pictures.
        ignored: the number of files without the suffix of a picture.
        left_out: the number of caches, thumbnails and hidden files or folders by kind; they were not listed.
        label_file: the name of the dataset.json of StyleGAN's dataset tool, "" if there is none.
        stamp: a digest of all names, sizes and times; "" if a file is so new that it could change again without a
            change of its times.
        read: returns the content of a picture or of the label file. Raises DataError or OSError.
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


def part_of(listing: Listing, where: str, names: Sequence[str], bad: Sequence[Bad] = ()) -> Listing:
    """Some pictures of a listing, in the order of `names`. `where` is the folder that messages name."""
    stamp = hashlib.sha256("\n".join([listing.stamp, *map(ascii, names)]).encode()).hexdigest()
    return replace(
        listing,
        path=listing.path / where,
        names=tuple(names),
        bad=tuple(bad),
        folders=frozenset(),
        ignored=0,
        left_out={},
        label_file="",
        stamp=stamp if listing.stamp else "",
    )


def outermost(listing: Listing) -> Listing:
    """A listing without what is in sub-folders."""
    names = tuple(name for name in listing.names if "/" not in name)
    return replace(listing, names=names, bad=tuple(bad for bad in listing.bad if "/" not in bad.name))


def is_picture(name: str) -> bool:
    """Whether a file with this name counts as a picture."""
    return PurePosixPath(name).suffix.lower() in SUFFIXES | UNREADABLE


def why_not_decodable(name: str) -> str:
    """Why a picture with this name cannot be decoded, or ""."""
    suffix = PurePosixPath(name).suffix.lower()
    return f"{suffix[1:].upper()} is not read; convert it to PNG or JPEG" if suffix in UNREADABLE else ""


def why_left_out(name: str) -> str:
    """The kind of a file or folder that is left out, or ""."""
    kinds = (kind for pattern, kind in LEFT_OUT.items() if fnmatchcase(name.lower(), pattern))
    return "" if name == ".." else next(kinds, "")


def shallowest(label_files: list[str]) -> str:
    """The label file in the outermost folder; "" if there is none."""
    return min(label_files, key=lambda name: (name.count("/"), name), default="")


def read_limited(file: IO[bytes], most: int | None = None) -> bytes:
    """The content of a file. Raises DataError if it has more than `most` bytes, `MAX_FILE_BYTES` if None."""
    most = most or MAX_FILE_BYTES
    content = file.read(most + 1)
    if reason := why_too_large(len(content), most):
        raise DataError(reason)
    return content


def why_too_large(size: int, most: int | None = None) -> str:
    """Why a file of this size in bytes is not read, or ""; `most` is as for `read_limited`."""
    most = most or MAX_FILE_BYTES
    return f"{size / 2**20:,.0f} MiB or more; at most {most / 2**20:,.0f} MiB are read" if size > most else ""


def in_order(bad: list[Bad]) -> tuple[Bad, ...]:
    """Sorted by name."""
    return tuple(sorted(bad, key=lambda entry: entry.name))


def stat_stamp(path: Path) -> str:
    """Size, times and inode of a file; "" if it changed less than `TICK` ago."""
    info = path.stat()
    if max(info.st_mtime_ns, info.st_ctime_ns) > time.time_ns() - TICK:
        return ""
    return f"{info.st_size} {info.st_mtime_ns} {info.st_ctime_ns} {info.st_ino}"


def stamp_of(root: Path, stamps: dict[str, str]) -> str:
    """The stamp of a listing, from those of its files by name; "" if one of them is empty."""
    lines = (f"{name!a} {stamp}" for name, stamp in sorted(stamps.items()))
    text = "\n".join([f"{VERSION} {str(root)!a}", *lines])
    return hashlib.sha256(text.encode()).hexdigest() if all(stamps.values()) else ""
