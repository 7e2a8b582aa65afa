"""A folder with one PNG per image, and a table of the labels."""

import io
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from fnmatch import fnmatchcase
from itertools import chain
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gan_runtime.errors import OutputError
from gan_runtime.files import TEMPORARY, atomic_write, check_writable, remove_leftovers
from gan_runtime.outputs import resume
from gan_runtime.outputs.arrays import in_pieces
from gan_runtime.outputs.options import Options, Outcome
from gan_runtime.outputs.pipeline import batches, png_encoder
from gan_runtime.outputs.source import Source
from gan_runtime.outputs.whole import is_png

RECORD, LABELS = "request.json", "labels.csv"


def check_folder(output: str) -> None:
    """Refuse a folder that cannot be made or written, or that has other things in it, before any work is done for it.

    Raises:
        OutputError: naming the folder and the way out.
    """
    folder = Path(output)
    if not folder.exists():
        check_writable(folder)
        return
    if not folder.is_dir():
        raise OutputError(f"{output}: is not a folder; name another one")
    resume.check_place(output, folder / RECORD, _others(folder))


def write_folder(output: str, source: Source, options: Options) -> Outcome:
    """00000000.png and so on, named by the index of the image, and labels.csv; what is there already is kept."""
    folder = Path(output)
    with _made(output), resume.claimed(output, folder / RECORD, resume.request(source), lambda: _files_in(folder)):
        remove_leftovers(folder)
        missing, damaged = _missing(folder, source)
        table = source.classes and not _is_whole(folder / LABELS, source)
        if table and (folder / LABELS).exists():
            damaged.append(LABELS)
        kept = source.n - sum(count for _, count in missing)
        resume.say_damaged(output, damaged, options)
        resume.say_kept(output, kept, source.n, options.quiet)
        if missing:
            _write_images(folder, source, missing, kept, options)
        if table:  # the last file: all is there
            _write_labels(folder / LABELS, source)
    return Outcome(output, kept)


def _others(folder: Path) -> Iterator[str]:
    """What is in the folder beside the record, and is no leftover."""
    names = (path.name for path in folder.iterdir())
    return (name for name in names if name != RECORD and not fnmatchcase(name, TEMPORARY))


def file_name(index: int) -> str:
    """The file of the image with this index."""
    return f"{index:08d}.png"


def _write_images(folder: Path, source: Source, missing: list[tuple[int, int]], kept: int, options: Options) -> None:
    first_index = source.start
    indices = chain.from_iterable(range(first, first + count) for first, count in missing)
    with png_encoder(source) as encode, batches(source, missing, done=kept, quiet=options.quiet) as images:
        for png in chain.from_iterable(map(encode, images)):
            with atomic_write(folder / file_name(first_index + next(indices))) as file:
                file.write(png)


def _missing(folder: Path, source: Source) -> tuple[list[tuple[int, int]], list[str]]:
    """The images that have no file yet, or none that is whole, as (first, count), and the names of the latter files."""
    there = np.zeros(source.n, bool)
    damaged: list[str] = []
    first_index = source.start
    for path in _images_in(folder):
        image = int(path.stem) - first_index
        if 0 <= image < source.n:
            there[image] = resume.is_made(path) and is_png(path.read_bytes(), source.shape[1:])
            if not there[image]:
                damaged.append(path.name)
    return ranges(~there), sorted(damaged)


def _files_in(folder: Path) -> Iterator[Path]:
    """The files of a job that are there."""
    yield from _images_in(folder)
    if (folder / LABELS).exists():
        yield folder / LABELS


def _images_in(folder: Path) -> Iterator[Path]:
    """The files in `folder` that are called as images are."""
    for path in folder.iterdir():
        digits = path.stem
        if digits.isascii() and digits.isdecimal() and path.name == file_name(int(digits)):
            yield path


def ranges(wanted: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Where `wanted` is true, as (first, count)."""
    edges = np.flatnonzero(np.diff(wanted.astype(np.int8), prepend=0, append=0)).tolist()
    return [(first, end - first) for first, end in zip(edges[::2], edges[1::2], strict=True)]


def _is_whole(table: Path, source: Source) -> bool:
    if not resume.is_made(table):
        return False
    with table.open("rb") as file:
        return all(file.read(len(part)) == part for part in _rows(source)) and not file.read(1)


def _write_labels(path: Path, source: Source) -> None:
    with atomic_write(path) as file:
        for part in _rows(source):
            file.write(part)


def _rows(source: Source) -> Iterator[bytes]:
    """The table of labels, piece by piece: file, label and the class's name of each image."""
    import csv  # noqa: PLC0415

    names = dict(enumerate(source.class_names))
    index = source.start
    yield b"file,label,name\n"
    for labels in in_pieces(source.n, source.labels):
        text = io.StringIO(newline="")
        rows = ((file_name(index + i), label, names.get(label, "")) for i, label in enumerate(labels.tolist()))
        csv.writer(text, lineterminator="\n").writerows(rows)
        yield text.getvalue().encode(errors="backslashreplace")
        index += len(labels)


@contextmanager
def _made(output: str) -> Iterator[None]:
    """Make the folder, or see that it can be used; take it away again where nothing came into it."""
    folder = Path(output)
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise OutputError(f"{output}: cannot be made: {error.strerror or error}") from None
    try:
        check_folder(output)
        yield
    finally:
        with suppress(OSError):
            folder.rmdir()
