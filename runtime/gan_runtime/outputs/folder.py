"""A folder with one PNG per image, and a table of the labels."""

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from fnmatch import fnmatchcase
from functools import partial
from itertools import chain
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from gan_runtime.errors import OutputError
from gan_runtime.files import TEMPORARY, atomic_write, check_writable, remove_leftovers, remove_leftovers_of
from gan_runtime.outputs import resume
from gan_runtime.outputs.arrays import in_pieces
from gan_runtime.outputs.names import Names, file_names
from gan_runtime.outputs.options import Options, Outcome
from gan_runtime.outputs.pipeline import batches, png_encoder
from gan_runtime.outputs.share import WHOLE, of_all_shares
from gan_runtime.outputs.source import Source
from gan_runtime.outputs.whole import is_png
from gan_runtime.terminal.progress import progress

RECORD, LABELS = "request.json", "labels.csv"
PART = 1000  # images of a part on a cluster
Ranges: TypeAlias = list[tuple[int, int]]
"""Images as (first, count)."""


def check_folder(output: str) -> None:
    """Check that the folder can be created or written and contains no other files, before any image is generated.

    Raises:
        OutputError: the folder cannot be used.
    """
    folder = Path(output)
    if not folder.exists():
        check_writable(folder)
        return
    if not folder.is_dir():
        raise OutputError(f"{output}: is not a folder; choose another output")
    resume.check_place(output, folder / RECORD, others(folder))


def write_folder(output: str, source: Source, options: Options) -> Outcome:
    """One PNG per image, named by the source or 00000000.png and so on by its index, and labels.csv.

    What is there already is kept. `options.share` names a contiguous part of the images; each share that has any
    writes labels.csv.
    """
    folder, names, share = Path(output), file_names(output, source), options.share
    wanted, own = resume.request(source, compression=options.compression), share.part(source.n)
    made = partial(_files_in, folder) if share == WHOLE else partial(_images_in, folder, names, own)
    with made_folder(output), resume.claimed(output, folder / RECORD, wanted, made, share):
        missing, damaged = _missing(folder, source, names, own)
        _remove_leftovers(folder, names, missing, alone=share == WHOLE)
        # A part without images leaves no record, without which the table would be a stranger's.
        table = source.classes and (own or share == WHOLE) and not _is_whole(folder / LABELS, source, names)
        if table and (folder / LABELS).exists():
            damaged.append(LABELS)
        kept = len(own) - sum(count for _, count in missing)
        resume.say_damaged(output, damaged, options.quiet)
        resume.say_kept(output, kept, len(own), options.quiet)
        resume.say_empty(output, share, own, options.quiet)
        if missing:
            write = _write_on_cluster if options.cluster else _write_images
            write(folder, source, missing, (kept, len(own)), options)
        if table:  # the last file: the job is complete
            _write_labels(folder / LABELS, source, names)
    return Outcome(output, kept)


def others(folder: Path) -> Iterator[str]:
    """The entries of the folder except for the records of jobs and temporary files."""
    records = {path.name for path in of_all_shares(folder / RECORD)}
    names = (path.name for path in folder.iterdir())
    return (name for name in names if name not in records and not fnmatchcase(name, TEMPORARY))


def _write_images(folder: Path, source: Source, missing: Ranges, done: tuple[int, int], options: Options) -> None:
    images, names = _each(missing), file_names(str(folder), source)
    with (
        png_encoder(source, options.compression) as encode,
        batches(source, missing, done=done, quiet=options.quiet) as made,
    ):
        for png in chain.from_iterable(map(encode, made)):
            path = folder / names[next(images)]
            if path.parent != folder:
                make_folder(path.parent)
            with atomic_write(path) as file:
                file.write(png)


def _write_on_cluster(folder: Path, source: Source, missing: Ranges, done: tuple[int, int], options: Options) -> None:
    assert options.cluster
    work = partial(_part, folder.absolute(), source, replace(options, cluster=None, quiet=True))
    images = list(_each(missing))
    with progress("sampling", done[1], source.unit, done[0], options.quiet) as advance:
        for part, _ in options.cluster.map(work, images, PART):
            advance(len(part))


def _part(folder: Path, source: Source, options: Options, images: Sequence[int]) -> None:
    """Write these images, in a process of a cluster."""
    first = images[0]
    wanted = np.zeros(images[-1] - first + 1, bool)
    wanted[np.subtract(images, first)] = True
    missing = [(first + image, count) for image, count in ranges(wanted)]
    _remove_leftovers(folder, file_names(str(folder), source), missing, alone=False)
    _write_images(folder, source, missing, (0, 0), options)


def _each(images: Ranges) -> Iterator[int]:
    return chain.from_iterable(range(first, first + count) for first, count in images)


def _remove_leftovers(folder: Path, names: Names, missing: Ranges, *, alone: bool) -> None:
    """Remove what a killed process left; of a part only what is its own, because others may be writing theirs."""
    if alone:
        for part in names.folders(folder):
            remove_leftovers(part)
        return
    paths = [folder / names[image] for image in _each(missing)]
    for part in {folder, *(path.parent for path in paths)}:
        remove_leftovers_of(part, [LABELS, *(path.name for path in paths if path.parent == part)])


def _missing(folder: Path, source: Source, names: Names, own: range) -> tuple[Ranges, list[str]]:
    """The images of `own` without a complete file, as (first, count), and the names of damaged files."""
    there = np.ones(source.n, bool)
    there[own.start : own.stop] = False
    damaged: list[str] = []
    for image, path in names.there(folder):
        if image in own:
            there[image] = resume.is_made(path) and is_png(path.read_bytes(), source.shape[1:])
            if not there[image]:
                damaged.append(names[image])
    return ranges(~there), sorted(damaged)


def _images_in(folder: Path, names: Names, own: range) -> Iterator[Path]:
    """The existing files of these images."""
    return (path for image, path in names.there(folder) if image in own)


def _files_in(folder: Path) -> Iterator[Path]:
    """The files that jobs have made, of any names."""
    yield from folder.rglob("*.png")
    if (folder / LABELS).exists():
        yield folder / LABELS


def ranges(wanted: NDArray[np.bool_]) -> Ranges:
    """The ranges in which `wanted` is true, as (first, count)."""
    edges = np.flatnonzero(np.diff(wanted.astype(np.int8), prepend=0, append=0)).tolist()
    return [(first, end - first) for first, end in zip(edges[::2], edges[1::2], strict=True)]


def _is_whole(table: Path, source: Source, names: Names) -> bool:
    if not resume.is_made(table):
        return False
    with table.open("rb") as file:
        return all(file.read(len(part)) == part for part in _rows(source, names)) and not file.read(1)


def _write_labels(path: Path, source: Source, names: Names) -> None:
    with atomic_write(path) as file:
        for part in _rows(source, names):
            file.write(part)


def _rows(source: Source, names: Names) -> Iterator[bytes]:
    """The table of labels in parts: file, label and class name of each image."""
    import csv  # noqa: PLC0415

    classes = dict(enumerate(source.class_names))
    first = 0
    yield b"file,label,name\n"
    for labels in in_pieces(source.n, source.labels):
        text = io.StringIO(newline="")
        rows = ((names[first + i], label, classes.get(label, "")) for i, label in enumerate(labels.tolist()))
        csv.writer(text, lineterminator="\n").writerows(rows)
        yield text.getvalue().encode(errors="backslashreplace")
        first += len(labels)


def make_folder(folder: Path) -> None:
    """Create a folder and those around it. Raises OutputError if that is not possible."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{folder}: cannot be created: {error.strerror or error}") from None


@contextmanager
def made_folder(output: str) -> Iterator[None]:
    """Create the folder if it is missing, and remove it at the end of the block if it is empty."""
    folder = Path(output)
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise OutputError(f"{output}: cannot be created: {error.strerror or error}") from None
    try:
        check_folder(output)
        yield
    finally:
        with suppress(OSError):
            folder.rmdir()
