"""Find, verify and decode data sets in LeCun's IDX format."""

import gzip
import hashlib
import math
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gan_runtime.data.dataset import Dataset
from gan_runtime.data.download import download, forbidden, own_folder
from gan_runtime.data.paths import existing, search_path
from gan_runtime.data.registry import SOURCES, IdxFile
from gan_runtime.errors import DataError
from gan_runtime.terminal.text import note

ANEW = "delete it and fetch it again with gan-data --fetch, or replace it with the original"


def load_idx(
    name: str, split: str, data_dir: str | Path | None = None, offline: bool = False, quiet: bool = False
) -> Dataset:
    """`load_dataset` for a key of `SOURCES`."""
    files = split_files(name, split)
    folder, others = search(name, files, data_dir)
    if folder is None and (data_dir is not None or forbidden(offline)):
        raise not_found(name, files, data_dir, forbidden(offline), others)
    for other in () if quiet else others:
        note(f"{name}: skipped: {other}")
    folder = folder or fetch(name, files, quiet)
    images, labels = (decode(folder, file) for file in files)
    digest = hashlib.sha256("".join(file.sha256 for file in files).encode()).hexdigest()
    return Dataset(name, split, images[:, :, :, None], labels.astype(np.int64), SOURCES[name].classes, digest)


def split_files(name: str, split: str) -> tuple[IdxFile, IdxFile]:
    """The files of a split, images first. Raises DataError if there is no such split."""
    splits = SOURCES[name].splits
    if split not in splits:
        raise DataError(f"split {split!r}: {name} has {' and '.join(splits)}")
    return splits[split]


def search(name: str, files: tuple[IdxFile, ...], data_dir: str | Path | None = None) -> tuple[Path | None, list[str]]:
    """The first folder of the search path that has all `files`, gzipped or not, and messages on skipped folders.

    Different data sets use the same file names; folders with files of another data set are skipped. A folder with
    damaged files counts as found, so that decoding reports them.
    """
    others: list[str] = []
    for place in search_path(data_dir):
        for folder in (place / name, place):
            if not all(existing(folder, file.name) for file in files):
                continue
            other = _of_another(folder, files)
            if not other:
                return folder, others
            others.append(other)
    return None, others


def find_folder(name: str, files: tuple[IdxFile, ...], data_dir: str | Path | None = None) -> Path | None:
    """The folder that `search` returns."""
    return search(name, files, data_dir)[0]


def fetch(name: str, files: tuple[IdxFile, ...], quiet: bool = False, folder: Path | None = None) -> Path:
    """`download`, which checks names only, but raise DataError if the folder has files of another data set."""
    folder = folder or own_folder(name)
    other = _of_another(folder, files)
    if other:
        raise DataError(f"{name}: cannot be fetched into {folder}: {other}; move these files, or name another folder")
    return download(name, files, quiet, folder)


def _of_another(folder: Path, files: tuple[IdxFile, ...]) -> str:
    """A description of intact files in `folder` that belong to another data set, or "".

    Labels, which are small, are read first; images only if the labels belong to no known data set.
    """
    unknown = ""
    for file in reversed(files):
        path = existing(folder, file.name)
        if path is None:
            continue
        try:
            content = _read(path, file.size)
        except DataError:
            return ""
        digest = hashlib.sha256(content).hexdigest()
        if digest == file.sha256 or not _is_sound(content, file.size):
            return ""
        other = owner(file.name, digest)
        if other:
            return f"{path} is {other}"
        unknown = f"{path} is of an unknown data set, or modified: its content has SHA-256 {digest}"
    return unknown


def owner(file_name: str, digest: str) -> str | None:
    """A description of the known file with this SHA-256, for a file called `file_name`; None if there is none."""
    for name, source in SOURCES.items():
        for file in (file for files in source.splits.values() for file in files):
            if file.sha256 == digest:
                return f"of {name}" if file.name == file_name else f"{file.name} of {name}"
    return None


def _is_sound(content: bytes, limit: int) -> bool:
    """Whether `content`, of which one byte more than `limit` was read at most, is as long as its IDX header says."""
    axes = content[3] if content[:3] == b"\0\0\x08" else 0
    start = 4 + 4 * axes
    if not axes or len(content) < start:
        return False
    length = start + math.prod(int(axis) for axis in np.frombuffer(content, ">u4", axes, offset=4))
    return length == len(content) or length > limit == len(content) - 1


def not_found(
    name: str,
    files: tuple[IdxFile, ...],
    data_dir: str | Path | None,
    forbidden_by: str | None = None,
    others: Sequence[str] = (),
) -> DataError:
    """The error that lists where `files` were looked for, why they were not downloaded, and what has their names."""
    where = ", ".join(str(place) for place in search_path(data_dir))
    names = " and ".join(f"{file.name}.gz" for file in files)
    why = f" and {forbidden_by} forbids to download them" if forbidden_by else ""
    into = f" --data-dir {data_dir}" if data_dir else ""
    way_out = "put them into a folder and name it with --data-dir, or fetch them: gan-data"
    there = "".join(f"; {other}" for other in others)
    return DataError(f"{name}: {names} not found in {where}{there}{why}; {way_out} {name} --fetch{into}")


def decode(folder: Path, file: IdxFile) -> NDArray[np.uint8]:
    """The array in an IDX file: two zeros, type 8 (bytes), the number of axes, their big-endian uint32 sizes, the data.

    Raises:
        DataError: the file is missing, belongs to another data set, or does not have the expected SHA-256.
    """
    path = existing(folder, file.name)
    if path is None:
        raise DataError(f"{folder / file.name}: not found")
    content = _read(path, file.size)
    digest = hashlib.sha256(content).hexdigest()
    other = owner(file.name, digest)
    if digest != file.sha256 and other:
        raise DataError(f"{path}: is {other}, next to files of another data set; replace it with the right file")
    if digest != file.sha256:
        raise DataError(f"{path}: corrupt: its content has SHA-256 {digest}, expected {file.sha256}; {ANEW}")
    axes = content[3]
    shape = np.frombuffer(content, ">u4", axes, offset=4)
    return np.frombuffer(content, np.uint8, offset=4 + 4 * axes).reshape(shape)


def _read(path: Path, size: int) -> bytes:
    """Read at most `size` + 1 bytes: enough to tell that a file is too long."""
    try:
        with path.open("rb") as file:
            return (gzip.GzipFile(fileobj=file) if path.suffix == ".gz" else file).read(size + 1)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        raise DataError(f"{path}: corrupt: {error}; the file has SHA-256 {digest}; {ANEW}") from error
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from error
