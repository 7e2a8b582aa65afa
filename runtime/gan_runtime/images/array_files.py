"""Read arrays from untrusted .npy and .npz files: numbers only, and never more memory than the file has content."""

import math
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tokenize import TokenError
from typing import Any, BinaryIO, NamedTuple

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from gan_runtime.errors import InputError
from gan_runtime.records import record

SUFFIXES = (".npy", ".npz")
ZIP, NUMPY = b"PK", b"\x93NUMPY"
NUMBERS = "biuf"
SPACES = {2: "z", 3: "w"}  # of latents, by the number of axes
MOST_TEXT = 64  # bytes
BOMB_BYTES, BOMB_RATIO = 2**30, 200  # larger and more compressed members are refused
HEADER_ERRORS = (  # a header is a Python literal
    *(ValueError, TypeError, KeyError, AttributeError, SyntaxError, TokenError, EOFError),
    *(OverflowError, RecursionError, MemoryError, UnicodeError),
)
DAMAGE = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError)
READ_AT_ONCE = 2**24


@record(frozen=True)
class StoredArray:
    """An array in an open file, not read yet. `problem` is the reason if it cannot be read."""

    name: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    problem: str
    read: Callable[[NDArray[np.int64] | None], NDArray[Any]]
    """Reads all of the array, or the given rows."""

    def __str__(self) -> str:
        kind = self.problem or f"{self.dtype} {list(self.shape)}"
        return f"{self.name}: {kind}" if self.name else kind


@contextmanager
def open_arrays(source: str, called: str | None = None) -> Iterator[list[StoredArray]]:
    """The arrays of a .npy (one array without a name) or .npz file with any suffix, to be read within the block.

    Raises:
        InputError: the file is missing, has another format, or (within the block) an array is damaged.
    """
    called = called or source
    if Path(source).exists() and not Path(source).is_file():  # reading from a pipe could block
        raise InputError(f"{called}: is not a regular file; name a .npy or .npz file")
    try:
        with Path(source).open("rb") as file:
            start = file.read(len(NUMPY))
            file.seek(0)
            if start.startswith(ZIP):
                with zipfile.ZipFile(file) as archive:
                    yield [_member(archive, info, called) for info in archive.infolist()]
            elif start == NUMPY:
                yield [_stored("", file, Path(source).stat().st_size, lambda: file, called)]
            else:
                raise InputError(f"{called}: not a .npy or .npz file; numpy.save and numpy.savez write such files")
    except OSError as error:
        raise InputError(f"{called}: cannot be read: {error.strerror or error}") from None
    except zipfile.BadZipFile as error:
        raise InputError(f"{called}: a damaged .npz file: {error}; write it again") from None
    except MemoryError:
        raise InputError(f"{called}: needs more memory than there is; give fewer images at once") from None


def pick(arrays: list[StoredArray], name: str, fits: Callable[[tuple[int, ...]], Any], needed: str, called: str) -> Any:
    """Choose an array: the only one of a .npy; of a .npz the one called `name`, or else the only one that fits.

    Args:
        arrays: those of the file.
        name: the name under which the project's commands write it.
        fits: whether a shape is suitable.
        needed: a description of what is needed, for messages.
        called: the file, for messages.

    Returns:
        The array and a remark, empty if nothing was assumed.

    Raises:
        InputError: no array or more than one is suitable; the message lists all.
    """
    named = [array for array in arrays if array.name in ("", name)]
    suitable = [array for array in arrays if not array.problem and fits(array.shape)]
    chosen = named or suitable
    if len(chosen) != 1:
        there = "; ".join(map(str, arrays)) or "nothing"
        meant = "more than one may be meant" if chosen else "none can be meant"
        raise InputError(f"{called}: has {there}; {meant}: needs {needed}, called {name!r} (numpy.savez({name}=…))")
    (array,) = chosen
    if array.problem:
        raise InputError(f"{called}: {array}; needs {needed}")
    return array, "" if named else f"{array.name} is taken for the {name}"


class StoredLatents(NamedTuple):
    """Latents of a file: real numbers [n, d] in the space "z", or styles [n, layers, d] in "w"; int64 [n] or None."""

    values: NDArray[Any]
    labels: NDArray[np.int64] | None
    space: str


def load_latents(path: str, *, labelled: bool = False) -> StoredLatents:
    """The latents of a .npy, or of a .npz as gan-encode, gan-sample and gan-project write it.

    Args:
        path: of the file.
        labelled: read the `labels` of a .npz of latents in z, too, where it has some.

    Raises:
        InputError: the file cannot be read, or holds no such arrays.
    """
    called, needed = f"--latents {path}", "one array of shape [n, d], or [n, layers, d] for styles"
    with open_arrays(path, called) as arrays:
        array, _ = pick(arrays, "latents", lambda shape: len(shape) in SPACES, needed, called)
        if len(array.shape) not in SPACES or array.dtype.kind not in "fiu":
            raise InputError(f"{called}: {array}; needs {needed}, of real numbers")
        space = SPACES[len(array.shape)]
        stated = next((other for other in arrays if other.name == "space"), None)
        if stated is not None and (stated.dtype.kind != "U" or stated.read(None) != np.array(space)):
            raise InputError(f"{called}: {array}, and its space is not {space!r}; [n, d] is in z, [n, layers, d] in w")
        labels = read_labels(arrays, array.shape[0], None, called) if labelled and space == "z" else None
        return StoredLatents(array.read(None), labels, space)


def read_labels(
    arrays: list[StoredArray], total: int, rows: NDArray[np.int64] | None, source: str
) -> NDArray[np.int64] | None:
    """The array `labels` beside `total` images or latents, all of it or these rows; None where there is none."""
    labels = next((array for array in arrays if array.name == "labels"), None)
    if labels is None:
        return None
    if labels.problem or labels.shape != (total,) or labels.dtype.kind not in "iu":
        kind = str(labels).removeprefix("labels: ")
        raise InputError(f"{source}: labels {kind}; give an integer for each of the {total:,} images, or none")
    return labels.read(rows).astype(np.int64)


def _member(archive: zipfile.ZipFile, info: zipfile.ZipInfo, called: str) -> StoredArray:
    name = info.filename.removesuffix(".npy")
    if info.file_size > max(BOMB_BYTES, BOMB_RATIO * info.compress_size):
        sizes = f"{info.file_size / 1e6:,.0f} MB in {info.compress_size / 1e6:,.1f} MB"
        return _unreadable(name, f"{sizes}, as in a zip bomb; write it as .npy")
    try:
        with archive.open(info) as member:
            return _stored(name, member, info.file_size, lambda: archive.open(info), called)
    except DAMAGE as error:
        return _unreadable(name, f"damaged: {error}")


def _stored(name: str, file: Any, size: int, reopen: Callable[[], Any], called: str) -> StoredArray:
    """The array whose header starts at the position of `file`; header and data have `size` bytes."""
    try:
        version = npy.read_magic(file)
        read_header = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}[version]
        shape, fortran, dtype = read_header(file)
    except HEADER_ERRORS:
        return _unreadable(name, "damaged: no header of an array that is read")
    if dtype.hasobject:
        return _unreadable(name, "holds Python objects, which are not read because they can run code; save numbers")
    text = dtype.kind == "U" and not shape and dtype.itemsize <= MOST_TEXT
    if not text and (dtype.kind not in NUMBERS or dtype.shape or min(shape, default=0) < 0):
        return _unreadable(name, f"{dtype} {list(shape)}, no real numbers")
    start = file.tell()
    expected = math.prod(shape) * dtype.itemsize
    if expected > size - start:
        return _unreadable(name, f"damaged: it ends after {max(size - start, 0):,} of {expected:,} bytes")

    def read(rows: NDArray[np.int64] | None = None) -> NDArray[Any]:
        again = reopen()
        try:
            again.seek(start)
            if rows is not None and not fortran and again is file:
                return _read_rows(again, start, (len(rows), *shape[1:]), dtype, rows)
            values = _read_into(again, np.empty(math.prod(shape), dtype))
            again.read(1)  # the CRC of an archive's member is checked at its end
        except (*DAMAGE, OSError) as error:
            raise InputError(f"{called}: {name and f'{name}: '}damaged, cannot be read: {error}") from None
        values = values.reshape(shape, order="F" if fortran else "C")
        return values if rows is None else values[rows]

    return StoredArray(name, tuple(shape), dtype, "", read)


def _read_rows(
    file: BinaryIO, start: int, shape: tuple[int, ...], dtype: np.dtype[Any], rows: NDArray[np.int64]
) -> NDArray[Any]:
    """Read rows without mapping the file: a file that is truncated while it is mapped would end the process."""
    values = np.empty(shape, dtype)
    for row, index in enumerate(rows.tolist()):
        file.seek(start + index * values[:1].nbytes)
        _read_into(file, values[row : row + 1])
    return values


def _read_into(file: Any, values: NDArray[Any]) -> NDArray[Any]:
    target = values.reshape(-1).view(np.uint8).data
    done = 0
    while done < len(target):
        count = file.readinto(target[done : done + READ_AT_ONCE])
        if not count:
            raise EOFError(f"it ends after {done:,} of {len(target):,} bytes")
        done += count
    return values


def _unreadable(name: str, problem: str) -> StoredArray:
    def read(rows: NDArray[np.int64] | None = None) -> NDArray[Any]:
        raise InputError(problem)

    return StoredArray(name, (), np.dtype(np.void), problem, read)
