"""The places of photos that are hardest to enlarge, as squares to look at."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from gan_runtime.evaluation.metrics.luminance import luma
from gan_runtime.evaluation.translation import with_channels
from gan_runtime.images.grids import grid

SIDE, SHOWN = 96, 8  # pixels of a square, and squares that are shown
STEP = 8  # pixels between two squares that are tried


@dataclass
class Hardest:
    """The square of each photo that the first of its enlargements gets most wrong; the worst ones are kept.

    Args:
        side: of the squares, in pixels.
    """

    side: int
    kept: list[tuple[float, list[NDArray[np.uint8]]]] = field(default_factory=list)

    def add(self, reference: NDArray[np.uint8], outputs: list[NDArray[np.uint8]], truth: NDArray[np.uint8]) -> None:
        """Consider a photo: its bicubic enlargement, its outputs, and the photo itself, uint8 [h, w, c] each."""
        error, down, across = worst_square(outputs[0], truth, self.side)
        square = slice(down, down + self.side), slice(across, across + self.side)
        rows = [with_channels(picture[square][None], 3)[0] for picture in (reference, *outputs, truth)]
        self.kept = sorted([*self.kept, (error, rows)], key=lambda one: -one[0])[:SHOWN]

    def picture(self) -> NDArray[np.uint8]:
        """Columns of squares, the worst first: bicubic interpolation, the outputs in order, the photo."""
        columns = [rows for _, rows in self.kept]
        return grid(np.stack([square for row in zip(*columns, strict=True) for square in row]), len(columns))


def worst_square(output: NDArray[np.uint8], truth: NDArray[np.uint8], side: int) -> tuple[float, int, int]:
    """The largest mean squared difference of luma within a square, and the square's first row and column."""
    errors = np.square(luma(with_channels(output[None], truth.shape[2])[0]) - luma(truth))[..., 0]
    sums = np.pad(errors.cumsum(0).cumsum(1), ((1, 0), (1, 0)))
    whole = sums[side:, side:] - sums[:-side, side:] - sums[side:, :-side] + sums[:-side, :-side]
    tried = whole[::STEP, ::STEP]
    down, across = np.unravel_index(tried.argmax(), tried.shape)
    return float(tried.max()) / side**2, int(down) * STEP, int(across) * STEP
