"""The input of outputs: images in a fixed order, from any origin, that can be generated again in parts."""

from collections.abc import Iterator, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray


class Source(Protocol):
    """Images 0 .. n - 1 to write. `gan_runtime.outputs.sampled.SampledImages` is the source of sampled images.

    Folders and shards make missing images again by `part`, so that the same part must always give the same images.
    """

    @property
    def n(self) -> int:
        """Number of images."""

    @property
    def start(self) -> int:
        """Number that the file of image 0 is named by."""

    @property
    def names(self) -> Sequence[str] | None:
        """Names of the files of a folder or shards, without suffix; None for numbers from `start` on.

        "/" separates sub-folders. Names must differ. All n are held in memory.
        """

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of all images together: n, height, width, channels; of points: n, coordinates."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of the images."""

    @property
    def unit(self) -> str:
        """What the progress bar counts, in the plural."""

    @property
    def threads(self) -> int:
        """Threads that may encode images."""

    @property
    def classes(self) -> int:
        """Number of classes of the labels; 0 where there are no labels."""

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names of the classes in order; empty where they have none."""

    def part(self, first: int, count: int) -> "Source":
        """The images first .. first + count - 1."""

    def batches(self) -> Iterator[NDArray[Any]]:
        """The images in order, batch by batch."""

    def labels(self, first: int, count: int) -> NDArray[np.int64] | None:
        """Labels of the images first .. first + count - 1, int64 [count]; None where there are none."""

    def identity(self) -> dict[str, Any]:
        """What determines the images, as JSON; jobs with the same identity can continue each other."""
