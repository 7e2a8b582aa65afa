"""List the pictures of a folder or .zip archive without decoding them."""

import struct
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gan_runtime.data.archives import list_archive
from gan_runtime.data.entries import Bad, Listing
from gan_runtime.data.folders import list_folder
from gan_runtime.errors import DataError

__all__ = ["Bad", "Listing", "is_pictures", "open_pictures", "packed_otherwise", "passed_over"]

OTHER_ARCHIVES = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz", ".tar.zst", ".7z", ".rar")


def is_pictures(source: str) -> bool:
    """Whether `source` is an existing folder, or a file that ends in .zip."""
    return bool(source) and (Path(source).is_dir() or (source.lower().endswith(".zip") and Path(source).is_file()))


@contextmanager
def open_pictures(path: Path, follow_links: bool = False) -> Iterator[Listing]:
    """List the pictures of a folder or .zip archive; they can be read within the block.

    The suffix decides whether a file is a picture; other files are counted as ignored. Hidden files and folders, and
    the caches and thumbnails of desktops and file servers, are left out and counted.

    Args:
        path: the folder or archive.
        follow_links: also follow links that point out of the folder; links within it are always followed.

    Raises:
        DataError: the folder cannot be listed, or the archive is damaged or a zip bomb.
    """
    if path.is_dir():
        yield list_folder(path, follow_links)
        return
    with _open_archive(path) as archive:
        yield list_archive(path, archive)


def passed_over(ignored: int, left_out: dict[str, int]) -> list[str]:
    """Messages on ignored and left-out files."""
    files = f"{ignored:,} other {'files' if ignored > 1 else 'file'} ignored, without the suffix of a picture"
    kinds = ", ".join(f"{count:,} {kind}" for kind, count in left_out.items())
    return [files] * bool(ignored) + [f"left out: {kinds}"] * bool(kinds)


def packed_otherwise(path: str) -> str:
    """Advice for an archive that is not a .zip; "" if the name is not that of an archive."""
    suffix = next((suffix for suffix in OTHER_ARCHIVES if path.lower().endswith(suffix)), "")
    return f"{suffix} archives are not read; unpack it and name the folder, or pack it as .zip" if suffix else ""


def _open_archive(path: Path) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(path)
    except (zipfile.BadZipFile, EOFError, NotImplementedError, ValueError, OverflowError, struct.error) as error:
        raise DataError(f"{path}: not a .zip archive, or a damaged one: {error}; create or download it again") from None
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from None
