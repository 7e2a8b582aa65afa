"""Batches of two domains. Both pictures of a pair are flipped and shifted alike."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gan_runtime.data.domain_split import Rows
from gan_runtime.data.domains import Domains
from gan_trainer.data.batches import Order, on_device, rows_of, to_floats

TARGETS, SOURCES, CHANGES, CHANGES_OF_SOURCES = range(4)  # streams of random numbers
WORDS = 4  # of a block of Philox


class DomainBatches:
    """An endless stream of batches of two domains, as a function of the seed and the number of images seen alone.

    Args:
        domains: inputs uint8 [m, h, w, c] and targets uint8 [n, h, w, c'].
        rows: the training pictures of both.
        flip: mirror half of the pictures, chosen at random.
        shift: move each picture by up to so many pixels in both directions; its border is repeated.
    """

    def __init__(
        self,
        domains: Domains,
        rows: Rows,
        batch_size: int,
        seed: int,
        device: torch.device,
        *,
        flip: bool = False,
        shift: int = 0,
    ) -> None:
        self._targets = on_device(domains.images, device)
        self._sources = on_device(domains.source.images, device)
        self._target_order = Order(rows.images, seed, device, TARGETS)
        self._source_order = Order(rows.source, seed, device, TARGETS if domains.paired else SOURCES)
        self._source_changes = CHANGES if domains.paired else CHANGES_OF_SOURCES
        self._batch_size, self._seed, self._flip, self._shift = batch_size, seed, flip, shift

    def at(self, images_seen: int) -> dict[str, Tensor]:
        """The batch after `images_seen` images: `source` and `images`, both float [n, c, h, w] in [-1, 1].

        Row i of `source` belongs to row i of `images` if the domains are paired. Otherwise both have orders, flips and
        shifts of their own.
        """
        sources = rows_of(self._sources, self._source_order.at(images_seen, self._batch_size))
        targets = rows_of(self._targets, self._target_order.at(images_seen, self._batch_size))
        return {
            "source": to_floats(self._changed(sources, images_seen, self._source_changes)),
            "images": to_floats(self._changed(targets, images_seen, CHANGES)),
        }

    def _changed(self, images: Tensor, images_seen: int, stream: int) -> Tensor:
        """Flipped and shifted images [n, h, w, c]; picture i of the run takes block i of the stream's words."""
        if not (self._flip or self._shift):
            return images
        philox = np.random.Philox(key=self._seed | stream << 64, counter=images_seen)
        words = philox.random_raw(len(images) * WORDS).reshape(-1, WORDS)
        down, across = ((words[:, axis] % (2 * self._shift + 1)).astype(np.int64) - self._shift for axis in (0, 1))
        mirrored = words[:, 2] % 2 * self._flip
        moved = _moved(images.shape[1], down, np.zeros_like(mirrored)), _moved(images.shape[2], across, mirrored)
        rows, columns = (torch.from_numpy(places).to(images.device) for places in moved)
        each = torch.arange(len(images), device=images.device)
        return images[each[:, None, None], rows[:, :, None], columns[:, None, :]]


def _moved(size: int, by: NDArray[np.int64], mirrored: NDArray[np.uint64]) -> NDArray[np.int64]:
    """The index that each pixel of an axis comes from, int64 [n, size]."""
    places = (np.arange(size) + by[:, None]).clip(0, size - 1)
    return np.where(mirrored[:, None] > 0, size - 1 - places, places)
