"""The pictures that are named on a command line: files, folders, archives, stdin."""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path, PurePosixPath
from unicodedata import normalize

from gan_runtime.data.entries import Bad, Listing, outermost, read_limited
from gan_runtime.data.listing import is_pictures, open_pictures, packed_otherwise, passed_over
from gan_runtime.errors import DataError, InputError
from gan_runtime.records import record

STDIN = "-"
MOST_BYTES = 2**31  # of a file that is named itself; those in folders and archives may be of unknown origin


@record(frozen=True)
class Input:
    """A picture file.

    Attributes:
        shown: its name in messages.
        name: the name from which that of its output is made, with "/" between folders.
        read: returns its content. Raises DataError or OSError.
    """

    shown: str
    name: str
    read: Callable[[], bytes]

    @property
    def stem(self) -> str:
        """The name without its suffix."""
        return str(PurePosixPath(self.name).with_suffix(""))

    @property
    def key(self) -> str:
        """What the names of a picture and of its truth have in common, in the normal form NFC of Unicode."""
        return normalize("NFC", self.stem)


@record(frozen=True)
class Inputs:
    """Picture files in order, files that cannot be used, and messages on files that are not pictures."""

    files: tuple[Input, ...]
    bad: tuple[Bad, ...] = ()
    remarks: tuple[str, ...] = ()


def are_many(sources: Sequence[str]) -> bool:
    """Whether `sources` may be more than one picture."""
    return len(sources) != 1 or is_pictures(sources[0])


@contextmanager
def open_inputs(sources: Sequence[str], *, follow_links: bool = False, recursive: bool = True) -> Iterator[Inputs]:
    """List the pictures of `sources`: files, folders, .zip archives, or "-" for stdin. They are read within the block.

    Args:
        sources: the first ones first.
        follow_links: read the targets of links that point out of a folder.
        recursive: also list what is in sub-folders.

    Raises:
        DataError: a folder or archive cannot be used, or a file is missing.
        InputError: there are no pictures.
    """
    with ExitStack() as stack:
        parts = [_list(source, stack, follow_links, recursive) for source in sources]
        found = Inputs(
            tuple(file for part in parts for file in part.files),
            tuple(bad for part in parts for bad in part.bad),
            tuple(remark for part in parts for remark in part.remarks),
        )
        if not found.files and not found.bad:
            others = "".join(f"; {remark}" for remark in found.remarks)
            raise InputError(f"{', '.join(sources)}: has no pictures, so there is nothing to do{others}")
        yield found


def read_file(file: Input) -> bytes:
    """The content of a file. Raises DataError if it cannot be read."""
    try:
        return file.read()
    except OSError as error:  # of the disk or the network, not of the picture
        raise DataError(f"cannot be read: {error.strerror or error}") from None


def _list(source: str, stack: ExitStack, follow_links: bool, recursive: bool) -> Inputs:
    if source == STDIN:
        return Inputs((Input(STDIN, "stdin", _read_stdin),))
    path = Path(source)
    if is_pictures(source):
        listing = stack.enter_context(open_pictures(path, follow_links))
        return _listed(source, listing if recursive else outermost(listing))
    if advice := packed_otherwise(source):
        raise DataError(f"{source}: {advice}")
    if not path.is_file():
        reason = "is not a regular file" if path.exists() else "no such file; name a picture that is there"
        raise DataError(f"{source}: {reason}")
    return Inputs((Input(source, path.name, partial(_read_path, path.absolute())),))


def _listed(source: str, listing: Listing) -> Inputs:
    files = tuple(Input(f"{source.rstrip('/')}/{name}", name, partial(listing.read, name)) for name in listing.names)
    bad = tuple(Bad(f"{source.rstrip('/')}/{entry.name}", entry.reason) for entry in listing.bad)
    remarks = passed_over(listing.ignored, listing.left_out)
    return Inputs(files, bad, tuple(f"{source}: {remark}" for remark in remarks))


def _read_path(path: Path) -> bytes:
    with path.open("rb") as file:
        return read_limited(file, MOST_BYTES)


def _read_stdin() -> bytes:
    if sys.stdin is None or sys.stdin.isatty():
        raise InputError("stdin is a terminal; send a picture to it, or name a file")
    return read_limited(sys.stdin.buffer, MOST_BYTES)
