"""A data set as one tensor on the device: shuffled, cut into batches and normalised there."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gan_runtime.data import Dataset


class Batches:
    """An endless stream of full batches of a data set, or of some `rows` of it. Each epoch has its own order.

    The stream has no state: `at` computes any batch from the number of images seen, so a resumed run continues exactly
    where it stopped.
    """

    def __init__(
        self,
        dataset: Dataset,
        batch_size: int,
        seed: int,
        device: torch.device,
        rows: NDArray[np.int64] | None = None,
    ) -> None:
        images = dataset.images if dataset.images.flags.writeable else dataset.images.copy()
        self._images = torch.from_numpy(images).to(device)  # on a CPU, a memory-mapped array is not copied
        self._labels = torch.from_numpy(dataset.labels).to(device)
        self._rows = None if rows is None else torch.from_numpy(rows).to(device)
        self._size = len(images) if rows is None else len(rows)
        self._batch_size = batch_size
        self._seed = seed
        self._orders: dict[int, Tensor] = {}

    def at(self, images_seen: int) -> dict[str, Tensor]:
        """The batch after `images_seen` images: `images` float [n, c, h, w] in [-1, 1], and `labels` int64 [n]."""
        size = self._size
        first, last = images_seen, images_seen + self._batch_size
        epochs = range(first // size, (last - 1) // size + 1)
        pieces = [self._order(epoch)[max(first - epoch * size, 0) : last - epoch * size] for epoch in epochs]
        chosen = torch.cat(pieces)
        if self._rows is not None:
            chosen = self._rows.index_select(0, chosen)
        images = self._images.index_select(0, chosen).permute(0, 3, 1, 2)
        if images.dtype == torch.uint8:  # floats are in [-1, 1] already
            images = images.float().div_(127.5).sub_(1.0)
        return {"images": images, "labels": self._labels.index_select(0, chosen)}

    def _order(self, epoch: int) -> Tensor:
        """Permutation of one epoch, which depends only on seed and epoch: the ranks of a block of Philox words."""
        if epoch not in self._orders:
            words = np.random.Philox(key=self._seed, counter=epoch << 64).random_raw(self._size)
            order = torch.from_numpy(words.argsort(kind="stable")).to(self._images.device)
            self._orders = {number: kept for number, kept in self._orders.items() if number == epoch - 1}
            self._orders[epoch] = order
        return self._orders[epoch]
