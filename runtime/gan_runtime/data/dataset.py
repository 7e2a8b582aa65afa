"""The result of loading any source of images."""

import hashlib
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gan_runtime.records import record


@record(frozen=True)
class Dataset:
    """Images and labels of one split.

    Attributes:
        name: of the data set.
        split: "train", "test", or a description.
        images: uint8 [n, h, w, c]; of computed data sets perhaps float32 in [-1, 1].
        labels: int64 [n]; zeros if there are no classes.
        classes: the name of each class.
        digest: SHA-256 of the content and of the options that shaped it: equal digests, equal arrays.
        modes: the number of equally likely modes that `labels` distinguish, for measuring only; 0 if they are classes.
        names: the file of each image, if the images were files.
        content: the first 64 bits of the SHA-256 of each image's file, uint64 [n], if the images were files.
        sizes: width and height of each upright picture before it was resized, int64 [n, 2], if the images were files.
    """

    name: str
    split: str
    images: NDArray[Any]
    labels: NDArray[np.int64]
    classes: tuple[str, ...]
    digest: str = ""
    modes: int = 0
    names: tuple[str, ...] = ()
    content: NDArray[np.uint64] | None = None
    sizes: NDArray[np.int64] | None = None

    @cached_property
    def pixel_digests(self) -> NDArray[np.uint64]:
        """Digests of the images, uint64 [n], computed once: a run splits its images several times."""
        return pixel_digests(self.images)


def pixel_digests(images: NDArray[Any]) -> NDArray[np.uint64]:
    """The first 64 bits of the SHA-256 of each image's pixels, uint64 [n]."""
    return np.array(
        [int.from_bytes(hashlib.sha256(image.tobytes()).digest()[:8], "big") for image in images], np.uint64
    )
