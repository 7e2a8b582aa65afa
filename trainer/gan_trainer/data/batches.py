"""A data set as one tensor on the device: shuffled, cut into batches and normalised there."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gan_runtime.data import Dataset

SHARE = 0.5  # of the free memory of a GPU that a data set may take


class Order:
    """An endless sequence of the indices `rows`. Each epoch has its own permutation of them.

    The sequence has no state: `at` computes any part of it, so a resumed run continues exactly where it stopped.

    Args:
        rows: indices int64 [n].
        seed: of the permutations.
        stream: sequences of the same seed and other streams are independent.
    """

    def __init__(self, rows: NDArray[np.int64], seed: int, device: torch.device, stream: int = 0) -> None:
        self._rows = torch.from_numpy(rows).to(device)
        self._key = seed | stream << 64
        self._epochs: dict[int, Tensor] = {}

    def at(self, first: int, count: int) -> Tensor:
        """Elements `first` to `first` + `count` of the sequence, int64 [count]."""
        size, last = len(self._rows), first + count
        epochs = range(first // size, (last - 1) // size + 1)
        pieces = [self._epoch(epoch)[max(first - epoch * size, 0) : last - epoch * size] for epoch in epochs]
        return self._rows.index_select(0, torch.cat(pieces))

    def _epoch(self, epoch: int) -> Tensor:
        """Permutation of one epoch, which depends only on seed, stream and epoch: the ranks of a block of words."""
        if epoch not in self._epochs:
            words = np.random.Philox(key=self._key, counter=epoch << 64).random_raw(len(self._rows))
            order = torch.from_numpy(words.argsort(kind="stable")).to(self._rows.device)
            self._epochs = {number: kept for number, kept in self._epochs.items() if number == epoch - 1}
            self._epochs[epoch] = order
        return self._epochs[epoch]


class Batches:
    """An endless stream of full batches of a data set, or of some `rows` of it, in the order of `Order`."""

    def __init__(
        self,
        dataset: Dataset,
        batch_size: int,
        seed: int,
        device: torch.device,
        rows: NDArray[np.int64] | None = None,
    ) -> None:
        self._images = on_device(dataset.images, device)
        self._labels = torch.from_numpy(dataset.labels).to(device)
        self._order = Order(np.arange(len(dataset.images)) if rows is None else rows, seed, device)
        self._batch_size = batch_size

    def at(self, images_seen: int) -> dict[str, Tensor]:
        """The batch after `images_seen` images: `images` float [n, c, h, w] in [-1, 1], and `labels` int64 [n]."""
        chosen = self._order.at(images_seen, self._batch_size)
        images = to_floats(rows_of(self._images, chosen))
        return {"images": images, "labels": self._labels.index_select(0, chosen)}


def on_device(images: NDArray[np.uint8], device: torch.device) -> Tensor:
    """The images as a tensor on the device, or on the host if they would take most of a GPU's free memory.

    On a CPU, a memory-mapped array is not copied.
    """
    if device.type == "cuda" and images.nbytes > SHARE * torch.cuda.mem_get_info(device)[0]:
        device = torch.device("cpu")
    return torch.from_numpy(images if images.flags.writeable else images.copy()).to(device)


def rows_of(images: Tensor, chosen: Tensor) -> Tensor:
    """Rows of images that may be elsewhere than their indices int64 [n], on the device of these."""
    return images.index_select(0, chosen.to(images.device)).to(chosen.device)


def to_floats(images: Tensor) -> Tensor:
    """[n, h, w, c], uint8 or floats in [-1, 1], to floats [n, c, h, w] in [-1, 1]."""
    images = images.permute(0, 3, 1, 2)
    return images.float().div_(127.5).sub_(1.0) if images.dtype == torch.uint8 else images
