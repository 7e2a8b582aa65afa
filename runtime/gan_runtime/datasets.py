"""Find, verify and decode data sets to numpy. Training and evaluation read the same arrays."""

import gzip
import hashlib
import os
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gan_runtime.errors import DataError
from gan_runtime.models import checkout

DATA_VARIABLE = "GAN_EDGE_DATA"


@dataclass(frozen=True)
class Dataset:
    """Images uint8 [n, h, w, c], labels int64 [n], and what each class is called."""

    name: str
    split: str
    images: NDArray[np.uint8]
    labels: NDArray[np.int64]
    classes: tuple[str, ...]


@dataclass(frozen=True)
class IdxFile:
    """A file of LeCun's IDX format; the digest is of its uncompressed content."""

    name: str
    sha256: str


@dataclass(frozen=True)
class IdxSource:
    """Images and labels of each split, as IDX files."""

    splits: dict[str, tuple[IdxFile, IdxFile]]
    classes: tuple[str, ...]
    licence: str


SOURCES = {
    "mnist": IdxSource(
        splits={
            "train": (
                IdxFile("train-images-idx3-ubyte", "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db"),
                IdxFile("train-labels-idx1-ubyte", "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5"),
            ),
            "test": (
                IdxFile("t10k-images-idx3-ubyte", "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7"),
                IdxFile("t10k-labels-idx1-ubyte", "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2"),
            ),
        },
        classes=tuple("0123456789"),
        licence="CC BY-SA 3.0",
    ),
}


def load_dataset(name: str, split: str = "train", data_dir: str | Path | None = None) -> Dataset:
    """Read and verify one split of a data set.

    Args:
        name: a key of `SOURCES`.
        split: "train" or "test".
        data_dir: folder with the files, or with a folder `name` that has them; the only place searched if given.
            Otherwise $GAN_EDGE_DATA, the checkout's data/ and the user's cache are searched in this order.

    Raises:
        DataError: unknown name or split, missing files, or content that does not have the expected SHA-256.
    """
    if name not in SOURCES:
        raise DataError(f"data set {name!r}: unknown; choose one of {', '.join(SOURCES)}")
    source = SOURCES[name]
    if split not in source.splits:
        raise DataError(f"split {split!r}: {name} has {' and '.join(source.splits)}")
    files = source.splits[split]
    folder = find_folder(name, files, data_dir)
    images, labels = (_decode_idx(folder, file) for file in files)
    return Dataset(name, split, images[:, :, :, None], labels.astype(np.int64), source.classes)


def search_path(data_dir: str | Path | None = None) -> list[Path]:
    """The folders in which data sets are looked for, in order."""
    if data_dir is not None:
        return [Path(data_dir)]
    root = checkout()
    places = [os.environ.get(DATA_VARIABLE), root and root / "data", _cache()]
    return [Path(place) for place in places if place]


def _cache() -> Path | None:
    try:
        return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "gan-edge"
    except RuntimeError:  # a container's user may have no home
        return None


def find_folder(name: str, files: tuple[IdxFile, ...], data_dir: str | Path | None = None) -> Path:
    """The first folder of the search path that has all `files`, gzipped or not.

    Raises:
        DataError: there is none; the message lists where it was looked for.
    """
    places = search_path(data_dir)
    for place in places:
        for folder in (place / name, place):
            if all(_existing(folder, file) for file in files):
                return folder
    where = ", ".join(str(place) for place in places)
    names = " and ".join(f"{file.name}.gz" for file in files)
    raise DataError(f"{name}: {names} not found in {where}; put them into a folder and name it with --data-dir")


def _existing(folder: Path, file: IdxFile) -> Path | None:
    candidates = (folder / f"{file.name}.gz", folder / file.name)
    return next((path for path in candidates if path.is_file()), None)


def _decode_idx(folder: Path, file: IdxFile) -> NDArray[np.uint8]:
    """Content of an IDX file: two zeros, type 8 (bytes), the number of axes, each as a big-endian uint32, the data."""
    path = _existing(folder, file)
    if path is None:
        raise DataError(f"{folder / file.name}: not found")
    content = _read(path)
    digest = hashlib.sha256(content).hexdigest()
    if digest != file.sha256:
        raise DataError(
            f"{path}: corrupt: its content has SHA-256 {digest}, expected {file.sha256}; replace it with the original"
        )
    axes = content[3]
    shape = np.frombuffer(content, ">u4", axes, offset=4)
    return np.frombuffer(content, np.uint8, offset=4 + 4 * axes).reshape(shape)


def _read(path: Path) -> bytes:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from error
    if path.suffix != ".gz":
        return content
    try:
        return gzip.decompress(content)
    except (OSError, EOFError, zlib.error) as error:
        digest = hashlib.sha256(content).hexdigest()
        raise DataError(f"{path}: corrupt: {error}; the file has SHA-256 {digest}; replace it") from error
