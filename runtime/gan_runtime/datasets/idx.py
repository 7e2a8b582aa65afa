"""Data sets in LeCun's IDX format: find the files, verify and decode them."""

import gzip
import hashlib
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gan_runtime.datasets.dataset import Dataset
from gan_runtime.datasets.download import download, forbidden
from gan_runtime.datasets.known import SOURCES, IdxFile
from gan_runtime.datasets.places import existing, search_path
from gan_runtime.errors import DataError

ANEW = "delete it and fetch it again with gan-data --fetch, or replace it with the original"


def load_idx(
    name: str, split: str, data_dir: str | Path | None = None, offline: bool = False, quiet: bool = False
) -> Dataset:
    """As `load_dataset`, for a key of `SOURCES`."""
    files = split_files(name, split)
    folder = find_folder(name, files, data_dir)
    if folder is None:
        if data_dir is not None or forbidden(offline):
            raise not_found(name, files, data_dir, forbidden(offline))
        folder = download(name, files, quiet)
    images, labels = (decode(folder, file) for file in files)
    digest = hashlib.sha256("".join(file.sha256 for file in files).encode()).hexdigest()
    return Dataset(name, split, images[:, :, :, None], labels.astype(np.int64), SOURCES[name].classes, digest)


def split_files(name: str, split: str) -> tuple[IdxFile, IdxFile]:
    """The files of a split, images first. Raises DataError where there is no such split."""
    splits = SOURCES[name].splits
    if split not in splits:
        raise DataError(f"split {split!r}: {name} has {' and '.join(splits)}")
    return splits[split]


def find_folder(name: str, files: tuple[IdxFile, ...], data_dir: str | Path | None = None) -> Path | None:
    """The first folder of the search path that has all `files`, gzipped or not."""
    for place in search_path(data_dir):
        for folder in (place / name, place):
            if all(existing(folder, file.name) for file in files):
                return folder
    return None


def not_found(
    name: str, files: tuple[IdxFile, ...], data_dir: str | Path | None, forbidden_by: str | None = None
) -> DataError:
    """The error that lists where `files` were looked for, and why they were not downloaded."""
    where = ", ".join(str(place) for place in search_path(data_dir))
    names = " and ".join(f"{file.name}.gz" for file in files)
    why = f" and {forbidden_by} forbids to download them" if forbidden_by else ""
    into = f" --data-dir {data_dir}" if data_dir else ""
    way_out = "put them into a folder and name it with --data-dir, or fetch them: gan-data"
    return DataError(f"{name}: {names} not found in {where}{why}; {way_out} {name} --fetch{into}")


def decode(folder: Path, file: IdxFile) -> NDArray[np.uint8]:
    """Content of an IDX file: two zeros, type 8 (bytes), the number of axes, each as a big-endian uint32, the data.

    Raises:
        DataError: the file is missing, or its content does not have the expected SHA-256.
    """
    path = existing(folder, file.name)
    if path is None:
        raise DataError(f"{folder / file.name}: not found")
    content = _read(path, file.size)
    digest = hashlib.sha256(content).hexdigest()
    if digest != file.sha256:
        raise DataError(f"{path}: corrupt: its content has SHA-256 {digest}, expected {file.sha256}; {ANEW}")
    axes = content[3]
    shape = np.frombuffer(content, ">u4", axes, offset=4)
    return np.frombuffer(content, np.uint8, offset=4 + 4 * axes).reshape(shape)


def _read(path: Path, size: int) -> bytes:
    """At most one byte more than `size`: what is longer is not the file, whatever else it may be."""
    try:
        with path.open("rb") as file:
            return (gzip.GzipFile(fileobj=file) if path.suffix == ".gz" else file).read(size + 1)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        raise DataError(f"{path}: corrupt: {error}; the file has SHA-256 {digest}; {ANEW}") from error
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from error
