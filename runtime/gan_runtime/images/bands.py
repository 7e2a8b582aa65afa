"""Pictures in bands of rows, from the top, so that large ones are never in memory as a whole."""

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from gan_runtime.records import record

Band = NDArray[np.uint8]
"""Some rows of a picture, uint8 [rows, w, c]."""


@record(frozen=True)
class Banded:
    """A picture that comes in bands, which can be taken once.

    Attributes:
        height, width: in pixels.
        channels: 1 grey, 2 grey and alpha, 3 RGB, 4 RGBA. Alpha is not premultiplied.
        bands: uint8 [rows, width, channels], with `height` rows together.
    """

    height: int
    width: int
    channels: int
    bands: Iterable[Band]

    @property
    def size(self) -> tuple[int, int]:
        """Height and width."""
        return self.height, self.width

    @property
    def bytes_per_row(self) -> int:
        """The size of a row in memory."""
        return self.width * self.channels

    def strips(self, rows: int) -> Iterator[Band]:
        """The picture in strips of exactly so many rows; the last one may have fewer."""
        begun: list[Band] = []
        wanted = rows
        for band in self.bands:
            rest = band
            while len(rest):
                begun.append(rest[:wanted])
                rest, wanted = rest[wanted:], wanted - len(begun[-1])
                if not wanted:
                    yield _joined(begun)
                    begun, wanted = [], rows
        if begun:
            yield _joined(begun)


def banded(pixels: Band) -> Banded:
    """A picture uint8 [h, w, c] as a single band."""
    height, width, channels = pixels.shape
    return Banded(height, width, channels, [pixels])


def _joined(parts: list[Band]) -> Band:
    return parts[0] if len(parts) == 1 else np.concatenate(parts)
