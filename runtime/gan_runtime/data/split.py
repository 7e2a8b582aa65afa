"""Split the images of a folder or array into a training part and a held-out part, by content."""

import numpy as np
from numpy.typing import NDArray

from gan_runtime.data.dataset import Dataset, pixel_digests
from gan_runtime.errors import InputError
from gan_runtime.records import record

SHARE = 0.1  # held out unless the user says otherwise
MAX_SHARE = 0.5


@record(frozen=True)
class Split:
    """Indices of the images of both parts, int64, ascending; and how many images repeat another one pixel for pixel."""

    train: NDArray[np.int64]
    held_out: NDArray[np.int64]
    repeated: int


def split_by_content(dataset: Dataset, share: float = SHARE) -> Split:
    """Hold out about `share` of the images.

    The digest of an image's file decides, whatever its name and the order of the files. An image that was held out
    stays held out when others are added or removed. Images with equal pixels are on the same side, and so are files
    with equal bytes.

    Args:
        dataset: images uint8 [n, h, w, c]. Without `content`, as of arrays, digests of the pixels decide.
        share: 0 to 0.5. 0 holds out nothing; otherwise both parts have at least one image, unless all are equal.

    Raises:
        InputError: `share` is out of range.
    """
    check_share(share)
    groups, key = _groups(dataset)
    held_out = key < share * 2.0**64
    if share and len(key) > 1:
        held_out[key.argmin()] = True
        held_out[key.argmax()] = False
    chosen = held_out[groups]
    return Split(np.flatnonzero(~chosen), np.flatnonzero(chosen), len(groups) - len(key))


def check_share(share: float) -> None:
    """Raise InputError if it is out of range."""
    if not 0 <= share <= MAX_SHARE:
        raise InputError(f"hold-out {share:g}: must be between 0 and {MAX_SHARE:g}")


def count_repeated(images: NDArray[np.uint8]) -> int:
    """How many of the images repeat another one pixel for pixel."""
    return len(images) - len(np.unique(pixel_digests(images)))


def _groups(dataset: Dataset) -> tuple[NDArray[np.int64], NDArray[np.uint64]]:
    """The group of equal images that each image is in, int64 [n], and a key per group that depends on content alone."""
    pixels = dataset.pixel_digests
    _, groups = np.unique(pixels, return_inverse=True)
    key = np.full(groups.max(initial=-1) + 1, 2**64 - 1, np.uint64)
    np.minimum.at(key, groups, pixels if dataset.content is None else dataset.content)
    return groups, key
