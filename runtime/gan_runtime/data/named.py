"""Load images from paths and names: picture files, folders, archives, arrays, known data sets."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gan_runtime.data import KNOWN, Dataset, load_dataset
from gan_runtime.data.entries import is_picture, read_limited
from gan_runtime.data.listing import is_pictures, packed_otherwise
from gan_runtime.errors import DataError, InputError
from gan_runtime.images.array_files import SUFFIXES
from gan_runtime.images.arrays import load_image_array
from gan_runtime.images.decoding import decoder
from gan_runtime.images.options import PictureOptions, pictures_as
from gan_runtime.images.recorded import SHARED
from gan_runtime.images.remarks import messages, summarise
from gan_runtime.manifest import ImageSize
from gan_runtime.records import record
from gan_runtime.terminal.text import note


@record(frozen=True)
class Pictures:
    """Images uint8 [n, h, w, c], their names, their labels int64 [n] if all have one, and remarks on arrays."""

    images: NDArray[np.uint8]
    names: tuple[str, ...]
    labels: NDArray[np.int64] | None
    remarks: tuple[str, ...] = ()


def load_images(
    sources: Sequence[str],
    size: ImageSize,
    *,
    split: str = "train",
    data_dir: Path | None = None,
    offline: bool = False,
    quiet: bool = False,
    like: PictureOptions | None = None,
) -> Pictures:
    """Load the images of all `sources` in order. Pictures are cropped and resized to `size`; arrays must have it.

    Args:
        sources: picture files, folders, .zip archives, .npy or .npz arrays, or keys of `KNOWN`.
        size: of each image.
        split: the split of known data sets.
        data_dir, offline, quiet: as `load_dataset`.
        like: options of decoding except for the size (`gan_runtime.images.recorded`).

    Raises:
        DataError, InputError: a source cannot be read, is not an image, or has another size.
    """
    if not sources:
        raise InputError("there are no images; name picture files, folders, .zip, .npy or .npz, or a data set")
    parts = [_load(source, size, split, data_dir, offline, quiet, like) for source in sources]
    known = [part.labels for part in parts if part.labels is not None]
    return Pictures(
        np.concatenate([part.images for part in parts]),
        tuple(name for part in parts for name in part.names),
        np.concatenate(known) if len(known) == len(parts) else None,
        tuple(remark for part in parts for remark in part.remarks),
    )


def load_pictures_as(source: str, size: ImageSize, quiet: bool = False, like: PictureOptions | None = None) -> Dataset:
    """The pictures of a folder or .zip, decoded to images of this size; those that cannot be used are skipped."""
    return load_dataset(source, pictures=pictures_as(source, size, like), quiet=quiet)


def check_output_is_new(sources: Sequence[str], output: str) -> None:
    """Raise InputError if the output is one of the images, as when the output was forgotten, or one in a folder."""
    path = Path(output)
    for source in map(Path, sources) if path.exists() else ():
        within = source.is_dir() and is_picture(output) and path.resolve().is_relative_to(source.resolve())
        if within or (source.exists() and source.samefile(path)):
            raise InputError(f"{output}: is also one of the images; name another file to write")


def how_decoded(sources: Sequence[str], like: PictureOptions) -> dict[str, Any]:
    """The options of decoding, for a command's report; empty if none of `sources` is a picture."""
    if all(source in KNOWN or source.lower().endswith((*SUFFIXES, ".onnx")) for source in sources):
        return {}
    return {"pictures": {name: getattr(like, name) for name in SHARED}}


def _load(
    source: str,
    size: ImageSize,
    split: str,
    data_dir: Path | None,
    offline: bool,
    quiet: bool,
    like: PictureOptions | None,
) -> Pictures:
    labels: NDArray[np.int64] | None = None
    names: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()
    if source in KNOWN:
        dataset = load_dataset(source, split, data_dir, offline=offline, quiet=quiet)
        images, labels = dataset.images, dataset.labels
    elif Path(source).suffix.lower() in SUFFIXES:
        found = load_image_array(source, size)
        images, labels = found.images, found.labels
        remarks = tuple(f"{source}: {remark}" for remark in found.remarks)
        for remark in () if quiet else remarks:
            note(remark)
    elif is_pictures(source):
        dataset = load_pictures_as(source, size, quiet, like)
        images, names = dataset.images, tuple(f"{source}/{name}" for name in dataset.names)
    else:
        images, names = _decode(source, pictures_as(source, size, like), quiet)[None], (source,)
    shape = (size.height, size.width, size.channels)
    if images.dtype != np.uint8 or images.ndim != 4 or images.shape[1:] != shape:
        kind = f"{images.dtype} {list(images.shape)}"
        raise InputError(f"{source}: {kind}; the model takes uint8 images {['n', *shape]}")
    numbered = tuple(f"{source}:{i}" for i in range(len(images)))
    return Pictures(images, names or numbered, None if labels is None else labels.astype(np.int64), remarks)


def _decode(source: str, options: PictureOptions, quiet: bool) -> NDArray[np.uint8]:
    """Decode a picture file to uint8 [h, w, c]."""
    noticed: list[tuple[str, float]] = []
    try:
        with Path(source).open("rb") as file:
            content = read_limited(file)
        pixels = decoder(options)(content, lambda *notice: noticed.append(notice))
    except OSError as error:
        raise DataError(f"{source}: cannot be read: {error.strerror or error}; name an image that is there") from None
    except DataError as error:
        raise DataError(f"{source}: {packed_otherwise(source) or f'{error}; name a PNG, JPEG or the like'}") from None
    for remark in () if quiet else messages(summarise([source], [noticed]), options):
        note(remark)
    return pixels
