"""Convert the output of a generator without a manifest to pixels: layout, range and alpha."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gan_runtime.errors import ModelError
from gan_runtime.foreign.shapes import NCHW, NHW

Range = tuple[float, float]
SIGNED, UNIT, BYTES = (-1.0, 1.0), (0.0, 1.0), (0.0, 255.0)
ENDS_IN = {"Tanh": SIGNED, "Sigmoid": UNIT, "HardSigmoid": UNIT}  # the range of the operator's output
BYTES_FROM = 64.0  # values above this cannot belong to [0, 1]
NEGATIVE, SIGNED_FROM = (
    0.1,
    0.5,
)  # depth below 0, relative to the highest value: at most if unsigned, at least if signed
CUT, FAR = 0.025, 1.0  # change by clipping, relative to the range: allowed on average, and at most
WHITE = 255.0


@dataclass(frozen=True)
class Pixels:
    """The conversion of an output to pixels: `black` becomes 0, `white` becomes 255, and values outside are clipped."""

    path: Path
    layout: str
    black: float
    white: float

    def __call__(self, output: NDArray[Any]) -> NDArray[np.uint8]:
        """Images of any number type in `layout` as uint8 [n, h, w, 1 or 3]; transparent images are drawn over white.

        Raises:
            ModelError: a value is not finite.
        """
        images = self._channels_last(output)
        if images.dtype == np.uint8 and (self.black, self.white) == BYTES and images.shape[3] != 4:
            return images
        check_finite(images, self.path)
        scale = np.float32(255.0 / (self.white - self.black))
        levels = (images.astype(np.float32) * scale - np.float32(self.black) * scale).clip(0.0, 255.0)
        if levels.shape[3] == 4:
            alpha = levels[..., 3:] / WHITE
            levels = levels[..., :3] * alpha + WHITE * (1.0 - alpha)
        pixels: NDArray[np.uint8] = np.rint(levels).astype(np.uint8)
        return pixels

    def _channels_last(self, output: NDArray[Any]) -> NDArray[Any]:
        if self.layout == NHW:
            return output[..., None]
        return output.transpose(0, 2, 3, 1) if self.layout == NCHW else output


def check_finite(values: NDArray[Any], path: Path) -> None:
    """Raise ModelError if a value is not finite."""
    if not np.isfinite(values).all():
        bad = int((~np.isfinite(values)).reshape(len(values), -1).any(axis=1).sum())
        raise ModelError(f"{path}: gives values that are not finite, in {bad} of {len(values)} images")


def find_range(values: NDArray[Any], operator: str, path: Path) -> Range:
    """The range of images: [0, 255], [0, 1] if hardly any value is below 0, or [-1, 1].

    Args:
        values: the first images, finite.
        operator: the operator that computes them; "" if unknown.
        path: the file, for messages.

    Raises:
        ModelError: too many values are outside of each range, or the range is ambiguous.
    """
    if values.dtype == np.uint8:
        return BYTES
    if operator in ENDS_IN and values.dtype.kind == "f":
        return ENDS_IN[operator]
    low, high = float(values.min()), float(values.max())
    unsigned = BYTES if high > BYTES_FROM or values.dtype.kind in "iu" else UNIT
    top = min(high, unsigned[1])
    shows_nothing = low == high
    doubt = NEGATIVE * top < -low < SIGNED_FROM * top and not shows_nothing
    found = unsigned if -low <= NEGATIVE * top and not shows_nothing else SIGNED
    values = values.astype(np.float64)
    beyond = np.abs(values - values.clip(*found)) / (found[1] - found[0])
    if doubt or beyond.mean() > CUT or beyond.max() > FAR:
        raise ModelError(
            f"{path}: gives values from {low:.4g} to {high:.4g}, which are not images plainly in [-1, 1], [0, 1] or "
            "[0, 255]; say which values are black and white with --range, as --range=-1:1"
        )
    return found
