"""The names of the files of images: given by the source, or numbers."""

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePath
from typing import TypeAlias

from gan_runtime.errors import OutputError
from gan_runtime.outputs.source import Source
from gan_runtime.records import record

SUFFIX = ".png"
MOST_BYTES, MOST_IN_SHARD = 255, 100  # of a name: of most file systems, and of ustar


@record(frozen=True)
class Numbers:
    """00000000.png and so on: the names of images whose source gives none."""

    start: int

    def __getitem__(self, image: int) -> str:
        return f"{self.start + image:08d}{SUFFIX}"

    def there(self, folder: Path) -> Iterator[tuple[int, Path]]:
        """The files in `folder` that are called as images are, each with its image, which another job may have made."""
        for path in folder.iterdir():
            digits = path.stem
            if digits.isascii() and digits.isdecimal() and path.name == Numbers(0)[int(digits)]:
                yield int(digits) - self.start, path

    def folders(self, folder: Path) -> set[Path]:
        """The folders of the files."""
        return {folder}


@record(frozen=True)
class Given:
    """The names that a source gives."""

    names: Sequence[str]

    def __getitem__(self, image: int) -> str:
        return f"{self.names[image]}{SUFFIX}"

    def there(self, folder: Path) -> Iterator[tuple[int, Path]]:
        """The files in `folder` that exist, each with its image."""
        paths = ((image, folder / self[image]) for image in range(len(self.names)))
        return ((image, path) for image, path in paths if path.exists())

    def folders(self, folder: Path) -> set[Path]:
        """The folders of the files."""
        return {(folder / name).parent for name in self.names}


Names: TypeAlias = Numbers | Given


def file_names(output: str, source: Source, *, in_shards: bool = False) -> Names:
    """The names of the files of `source`, within the folder or the shards `output`.

    Raises:
        OutputError: a name that the source gives leads out of the output, cannot be a file, or is there twice.
    """
    names = source.names
    if names is None:
        return Numbers(source.start)
    if len(names) != source.n:
        raise OutputError(f"{output}: there are {len(names)} names for {source.n} images; name each image")
    for name in names:
        reason = _not_in_a_shard(name) if in_shards else _not_a_file(name)
        if reason:
            raise OutputError(f"{output}: an image is called {name!r:.80}, {reason}; give it another name")
    (most, count), *_ = Counter(map(os.path.normcase, names)).most_common(1)
    if count > 1:
        raise OutputError(f"{output}: {count} images are called {most!r:.80}; give each another name")
    return Given(names)


def _not_a_file(name: str) -> str:
    """Why an image cannot have this name; "" if it can."""
    path = PurePath(name)
    if path.is_absolute() or path.drive or ".." in path.parts:
        return "which leads out of the output"
    if not path.parts or path.as_posix() != name or not name.isprintable():
        return "which is no plain path"
    if any(len(os.fsencode(part + SUFFIX)) > MOST_BYTES for part in path.parts):
        return "which is too long"
    return ""


def _not_in_a_shard(name: str) -> str:
    """As `_not_a_file`, of a member: WebDataset takes what precedes the first dot for the name of a sample."""
    if "/" in name or "." in name:
        return "and WebDataset takes no dots or slashes"
    return "which is too long" if len(os.fsencode(name + SUFFIX)) > MOST_IN_SHARD else _not_a_file(name)
