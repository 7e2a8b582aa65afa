"""Images that a command is given by name: picture files, folders, archives, arrays, or a known data set."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gan_runtime.candidates import ARRAYS, load_arrays
from gan_runtime.datasets import KNOWN, PictureOptions, load_dataset
from gan_runtime.datasets.pictures import decoder, is_pictures
from gan_runtime.errors import DataError, InputError
from gan_runtime.manifest import ImageSize
from gan_runtime.reference import MODES, load_pictures_as


@dataclass(frozen=True)
class Pictures:
    """Images uint8 [n, h, w, c], what each is called, and the class of each, int64 [n], where all have one."""

    images: NDArray[np.uint8]
    names: tuple[str, ...]
    labels: NDArray[np.int64] | None


def load_images(
    sources: Sequence[str],
    size: ImageSize,
    *,
    split: str = "train",
    data_dir: Path | None = None,
    offline: bool = False,
    quiet: bool = False,
) -> Pictures:
    """The images of all `sources`, in order; picture files are cropped and resized to `size`, arrays must have it.

    Args:
        sources: picture files, folders, .zip archives, .npy or .npz arrays, or keys of `KNOWN`.
        size: of each image.
        split: of a known data set.
        data_dir, offline, quiet: as `load_dataset`.

    Raises:
        DataError, InputError: a source cannot be read, is no image, or has another size.
    """
    if not sources:
        raise InputError("there are no images; name picture files, folders, .zip, .npy or .npz, or a data set")
    parts = [_load(source, size, split, data_dir, offline, quiet) for source in sources]
    known = [part.labels for part in parts if part.labels is not None]
    return Pictures(
        np.concatenate([part.images for part in parts]),
        tuple(name for part in parts for name in part.names),
        np.concatenate(known) if len(known) == len(parts) else None,
    )


def _load(source: str, size: ImageSize, split: str, data_dir: Path | None, offline: bool, quiet: bool) -> Pictures:
    if source in KNOWN:
        dataset = load_dataset(source, split, data_dir, offline=offline, quiet=quiet)
        found = Pictures(dataset.images, _numbered(source, len(dataset.images)), dataset.labels)
    elif Path(source).suffix.lower() in ARRAYS:
        images, labels = load_arrays(source)
        found = Pictures(images, _numbered(source, len(images)), labels)
    elif is_pictures(source):
        images = load_pictures_as(source, size, quiet).images
        found = Pictures(images, _numbered(source, len(images)), None)
    else:
        found = Pictures(_decode(source, size)[None], (source,), None)
    shape = (size.height, size.width, size.channels)
    if found.images.dtype != np.uint8 or found.images.ndim != 4 or found.images.shape[1:] != shape:
        kind = f"{found.images.dtype} {list(found.images.shape)}"
        raise InputError(f"{source}: {kind}; the model takes uint8 images {['n', *shape]}")
    return found


def _decode(source: str, size: ImageSize) -> NDArray[np.uint8]:
    """A picture file as uint8 [h, w, c]."""
    if size.height != size.width or size.channels not in MODES:
        raise InputError(f"{source}: pictures become squares in grey or colour; the model takes {size}; give a .npy")
    try:
        content = Path(source).read_bytes()
    except OSError as error:
        raise DataError(f"{source}: cannot be read: {error.strerror or error}; name an image that is there") from None
    try:
        return decoder(PictureOptions(size.height, MODES[size.channels]))(content)
    except DataError as error:
        raise DataError(f"{source}: {error}; name a PNG, JPEG or the like") from None


def _numbered(source: str, n: int) -> tuple[str, ...]:
    return tuple(f"{source}:{i}" for i in range(n))
