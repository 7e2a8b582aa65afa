"""The content of picture files, and the digest of all that a folder or archive has."""

import hashlib
import zipfile
import zlib
from pathlib import Path

from gan_runtime.data.entries import Listing
from gan_runtime.data.listing import open_pictures
from gan_runtime.errors import DataError
from gan_runtime.terminal.progress import progress

VERSION = 1  # of the digest
DAMAGE = (DataError, zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, ValueError, EOFError)


def digest_of_content(path: Path, *, follow_links: bool = False, quiet: bool = False) -> str:
    """SHA-256 of the set of picture files in a folder or .zip archive.

    It depends on the bytes of the files alone: not on their names, folders, order or number of copies, not on labels or
    options of decoding. All files are read.

    Raises:
        DataError: the folder cannot be listed, or the archive is damaged.
    """
    with open_pictures(path, follow_links) as listing:
        digests = set()
        with progress(f"reading {path.name}", len(listing.names), "images", quiet=quiet) as advance:
            for name in listing.names:
                digests.add(read_picture(listing, name)[2])
                advance(1)
    return hashlib.sha256("\n".join([str(VERSION), *sorted(digests)]).encode()).hexdigest()


def read_picture(listing: Listing, name: str) -> tuple[bytes, str, str]:
    """The bytes of a picture, why there are none, and their digest, "" if another attempt may succeed."""
    try:
        content = listing.read(name)
    except OSError as error:  # of the disk or the network, not of the picture
        return b"", f"cannot be read: {error.strerror or error}", ""
    except DAMAGE as error:
        return b"", str(error), str(error)
    return content, "", hashlib.sha256(content).hexdigest()
