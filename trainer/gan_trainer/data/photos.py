"""Crops of photos in low and high resolution, for networks that enlarge pictures."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gan_runtime.data.photos import Photos
from gan_runtime.images.degradations import degrade
from gan_runtime.images.resample import imresize

CROPS, DAMAGE = 8, 9  # streams of random numbers
WORDS = 4  # of a block of Philox: photo, position down, position across, symmetry
MARGIN = 2  # pixels of low resolution around a crop that the filter of `imresize` reaches


class PhotoBatches:
    """An endless stream of batches of crops, as a function of the seed and the number of images seen alone.

    Photos are drawn with probabilities proportional to the root of their area, positions uniformly. Each crop is shown
    in one of its eight symmetries. Photos that are smaller than a crop are mirrored at their borders.

    Args:
        photos: uint8 [h, w, c] of mixed sizes; memory-mapped ones are read where they are needed.
        rows: indices of the training photos.
        scale: factor between the resolutions.
        crop: side of the crops in low resolution.
        batch_size, seed: of the stream.
        device: where the batches are.
        degradation: "bicubic": crops of the whole photo reduced by `images.resample.reduced`; "real": `degrade`.
    """

    def __init__(
        self,
        photos: Photos,
        rows: NDArray[np.int64],
        scale: int,
        crop: int,
        batch_size: int,
        seed: int,
        device: torch.device,
        degradation: str = "bicubic",
    ) -> None:
        self._photos = [photos.images[row] for row in rows]
        sizes = np.array([photo.shape[:2] for photo in self._photos], np.float64)
        self._shares = np.cumsum(np.sqrt(sizes.prod(1)))
        self._scale, self._crop, self._batch_size, self._seed = scale, crop, batch_size, seed
        self._device, self._degradation = device, degradation
        self._reduction = torch.from_numpy(reduction(crop, scale)).float().to(device)

    def at(self, images_seen: int) -> dict[str, Tensor]:
        """The batch after `images_seen` crops: `source` float [n, c, crop, crop] and `images`, `scale` times as large.

        Values are in [0, 1]; those of `source` are whole levels / 255, as in a file.
        """
        philox = np.random.Philox(key=self._seed | CROPS << 64, counter=images_seen)
        words = philox.random_raw(self._batch_size * WORDS).reshape(-1, WORDS)
        windows = np.stack([self._window(*map(int, row[:3])) for row in words])  # uint8 [n, span, span, c]
        symmetries = [int(row[3]) for row in words]
        edge = MARGIN * self._scale
        high = torch.from_numpy(windows[:, edge:-edge, edge:-edge]).to(self._device).permute(0, 3, 1, 2)
        low = self._bicubic(windows) if self._degradation == "bicubic" else self._real(windows, images_seen)
        return {"source": _turned(low, symmetries) / 255, "images": _turned(high.float(), symmetries) / 255}

    def _window(self, photo: int, down: int, across: int) -> NDArray[np.uint8]:
        """A crop in high resolution with the margin around it."""
        chosen = photo / 2**64 * self._shares[-1]
        image: NDArray[np.uint8] = self._photos[
            min(int(np.searchsorted(self._shares, chosen, "right")), len(self._photos) - 1)
        ]
        rows, columns = (self._places(side, word) for side, word in zip(image.shape[:2], (down, across), strict=True))
        return image[rows[:, None], columns]

    def _places(self, side: int, word: int) -> NDArray[np.int64]:
        """Where the pixels of a window come from along a side; beyond its ends it is mirrored, as in `imresize`."""
        whole = max(side // self._scale, 1)  # pixels in low resolution
        first = word % max(whole - self._crop + 1, 1) - MARGIN
        used = min(whole * self._scale, side)
        places = np.arange(first * self._scale, (first + self._crop + 2 * MARGIN) * self._scale) % (2 * used)
        return np.minimum(places, 2 * used - 1 - places)

    def _bicubic(self, windows: NDArray[np.uint8]) -> Tensor:
        """The levels of the crops in low resolution, float [n, c, crop, crop], rounded after each side as in MATLAB."""
        levels = torch.from_numpy(windows).to(self._device).permute(0, 3, 1, 2).float()
        rows = _whole_levels(self._reduction @ levels)
        return _whole_levels(rows @ self._reduction.T)

    def _real(self, windows: NDArray[np.uint8], images_seen: int) -> Tensor:
        side = self._crop + 2 * MARGIN
        low = [
            degrade(window, (side, side), _generator(self._seed, images_seen + i))[MARGIN:-MARGIN, MARGIN:-MARGIN]
            for i, window in enumerate(windows)
        ]
        return torch.from_numpy(np.stack(low)).to(self._device).permute(0, 3, 1, 2).float()


def reduction(crop: int, scale: int) -> NDArray[np.float64]:
    """The weights of `imresize` for one side, float64 [crop, (crop + 2 * MARGIN) * scale], away from the borders."""
    span = crop + 2 * MARGIN
    return np.asarray(imresize(np.eye(span * scale), (span, span * scale))[MARGIN:-MARGIN])


def _turned(images: Tensor, symmetries: Sequence[int]) -> Tensor:
    """Squares [n, c, s, s], each transposed or not (bit 0 of its symmetry) and mirrored along either axis (1 and 2)."""
    turned = []
    for image, bits in zip(images, symmetries, strict=True):
        axes = [axis for axis, bit in ((1, 2), (2, 4)) if bits & bit]
        turned.append((image.transpose(1, 2) if bits & 1 else image).flip(axes))
    return torch.stack(turned)


def _whole_levels(values: Tensor) -> Tensor:
    return (values + 0.5).floor().clamp(0, 255)


def _generator(seed: int, index: int) -> np.random.Generator:
    """Random numbers of the crop `index` of a run."""
    return np.random.Generator(np.random.Philox(key=seed | DAMAGE << 64, counter=index << 64))
