"""Metrics of pictures beside the pictures that they should be: each is a number per pair.

All take uint8 [n, h, w, c] twice and give float64 [n]. Those of different sizes of pictures are not comparable.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from gan_runtime.errors import InputError
from gan_runtime.evaluation.metrics.arrays import Float64

Pictures = NDArray[np.uint8]  # [n, h, w, c]
WHITE = 255.0
CLEAREST = 100.0  # dB of equal pictures, whose PSNR is infinite: a mean must stay finite
RADIUS, DEVIATION = 5, 1.5  # of the Gaussian window of SSIM, pixels
K1, K2 = 0.01, 0.03
LEAST_SIDE = 2 * RADIUS + 1  # pixels


def l1(pictures: Pictures, truth: Pictures) -> Float64:
    """Mean absolute differences in grey levels, 0 to 255.

    Raises:
        InputError: the arrays are no uint8 pictures of equal shapes.
    """
    return _each(lambda x, y: np.abs(x - y).mean(), pictures, truth)


def psnr(pictures: Pictures, truth: Pictures) -> Float64:
    """Peak signal-to-noise ratios in dB: 10 log10(255^2 / mean squared difference), at most `CLEAREST`.

    Raises:
        InputError: as `l1`.
    """
    return _each(psnr_of, pictures, truth)


def ssim(pictures: Pictures, truth: Pictures) -> Float64:
    """Structural similarities, -1 to 1: the mean over channels and over all windows that lie within the picture.

    Wang, Bovik, Sheikh and Simoncelli 2004, "Image quality assessment: from error visibility to structural
    similarity", equation 13, with the constants and the Gaussian window of 11 x 11 pixels of section III.C. The result
    is that of scikit-image with `gaussian_weights=True, sigma=1.5, use_sample_covariance=False`.

    Raises:
        InputError: as `l1`, or the pictures are smaller than the window.
    """
    if min(pictures.shape[1:3], default=0) < LEAST_SIDE:
        raise InputError(f"pictures {list(pictures.shape)}: SSIM needs at least {LEAST_SIDE} x {LEAST_SIDE} pixels")
    return _each(ssim_of, pictures, truth)


def _each(metric: Callable[[Float64, Float64], float], pictures: Pictures, truth: Pictures) -> Float64:
    """A metric of each pair of pictures, which are converted to float64 [h, w, c] one by one."""
    if pictures.dtype != np.uint8 or pictures.ndim != 4 or 0 in pictures.shape:
        raise InputError(f"pictures {pictures.dtype} {list(pictures.shape)}: must be uint8 [n, h, w, c], at least one")
    if truth.dtype != np.uint8 or truth.shape != pictures.shape:
        raise InputError(
            f"pictures {list(pictures.shape)} beside {truth.dtype} {list(truth.shape)}: they must have equal shapes"
        )
    return np.array([metric(x.astype(np.float64), y.astype(np.float64)) for x, y in zip(pictures, truth, strict=True)])


def psnr_of(x: Float64, y: Float64) -> float:
    """`psnr` of one pair of arrays of levels, of any shape."""
    error = np.square(x - y).mean()
    return min(CLEAREST, 10 * float(np.log10(WHITE**2 / error))) if error else CLEAREST


def ssim_of(x: Float64, y: Float64) -> float:
    """`ssim` of one pair [h, w, c] of levels, of at least `LEAST_SIDE` pixels a side."""
    mean_x, mean_y, xx, yy, xy = _smoothed(np.stack([x, y, x * x, y * y, x * y]))
    variance_x, variance_y, covariance = xx - mean_x**2, yy - mean_y**2, xy - mean_x * mean_y
    c1, c2 = (K1 * WHITE) ** 2, (K2 * WHITE) ** 2
    above = (2 * mean_x * mean_y + c1) * (2 * covariance + c2)
    below = (mean_x**2 + mean_y**2 + c1) * (variance_x + variance_y + c2)
    return float((above / below).mean())


def _smoothed(planes: Float64) -> Float64:
    """Weighted means over the windows within [..., h, w, c]: float64 [..., h - 10, w - 10, c]."""
    offsets = np.arange(-RADIUS, RADIUS + 1)
    weights = np.exp(-0.5 * (offsets / DEVIATION) ** 2)
    weights /= weights.sum()
    height, width = (side - 2 * RADIUS for side in planes.shape[-3:-1])
    rows = sum(weight * planes[..., i : i + height, :, :] for i, weight in enumerate(weights))
    return np.asarray(sum(weight * rows[..., i : i + width, :] for i, weight in enumerate(weights)))
