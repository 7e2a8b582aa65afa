"""PSNR and SSIM on luma, as papers on super-resolution report them (`PROTOCOL`).

Pictures may have different sizes, so these are functions of one pair, uint8 [h, w, c] with 1 or 3 channels.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gan_runtime.errors import InputError
from gan_runtime.evaluation.metrics.arrays import Float64
from gan_runtime.evaluation.metrics.pixels import LEAST_SIDE, psnr_of, ssim_of

PROTOCOL = (
    "Y of BT.601 in 16 to 235, not rounded; grey pictures as they are; as many pixels as the scale are cut from each "
    "side; SSIM with a Gaussian window of 11 x 11, sigma 1.5"
)
WEIGHTS, BLACK = np.array([65.481, 128.553, 24.966]), 16.0  # of R, G and B in [0, 1]; Y of black


class OnLuma(NamedTuple):
    """PSNR in dB, at most `pixels.CLEAREST`, and SSIM, -1 to 1."""

    psnr: float
    ssim: float


def luma(picture: NDArray[np.uint8]) -> Float64:
    """Y of a picture uint8 [h, w, 3], float64 [h, w, 1] in 16 to 235; the levels themselves of one [h, w, 1].

    ITU-R BT.601 in limited range, as MATLAB's rgb2ycbcr before it rounds.
    """
    values = picture.astype(np.float64)
    return values if values.shape[2] == 1 else (values / 255 @ WEIGHTS + BLACK)[..., None]


def on_luma(picture: NDArray[np.uint8], truth: NDArray[np.uint8], border: int) -> OnLuma:
    """PSNR and SSIM of `picture` by `PROTOCOL`, with `border` pixels cut from each side.

    Raises:
        InputError: the shapes differ, or what remains is smaller than the window of SSIM.
    """
    if picture.shape != truth.shape or picture.ndim != 3 or picture.shape[2] not in (1, 3):
        raise InputError(f"pictures {list(picture.shape)} and {list(truth.shape)}: must both be [h, w, 1 or 3]")
    if min(picture.shape[:2]) < LEAST_SIDE + 2 * border:
        raise InputError(
            f"pictures {list(picture.shape)}: SSIM needs at least {LEAST_SIDE} x {LEAST_SIDE} pixels inside of a "
            f"border of {border}"
        )
    inside = slice(border, picture.shape[0] - border), slice(border, picture.shape[1] - border)
    x, y = luma(picture[inside]), luma(truth[inside])
    return OnLuma(psnr_of(x, y), ssim_of(x, y))


def grid_deviation(picture: NDArray[np.uint8], scale: int) -> float:
    """How unlike the scale^2 positions within blocks of scale x scale pixels are: the deviation of their mean lumas.

    In levels, without a reference. Networks that enlarge can leave a grid of this pitch in their pictures, which other
    measures of sharpness take for detail. 162 photos had 0.03 to 0.77 at a scale of 4, 0.18 on average.

    Raises:
        InputError: the picture is smaller than a block.
    """
    height, width = (side // scale for side in picture.shape[:2])
    if not height or not width:
        raise InputError(f"pictures {list(picture.shape)}: smaller than {scale} x {scale} pixels")
    levels = luma(picture[: height * scale, : width * scale])
    means = levels.reshape(height, scale, width, scale).mean((0, 2))
    return float(means.std())


def gradient(picture: NDArray[np.uint8]) -> float:
    """Mean length of the gradient of luma, of differences to the next row and column, in levels per pixel."""
    levels = luma(picture)[..., 0]
    down, across = np.diff(levels, axis=0)[:, :-1], np.diff(levels, axis=1)[:-1]
    return float(np.hypot(down, across).mean())
