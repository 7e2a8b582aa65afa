"""MATLAB's `imresize` with its default, the bicubic filter: super-resolution is trained and measured with it.

Pillow's bicubic filter has the same kernel and treats borders otherwise: a tenth of the pixels differ.
"""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gan_runtime.errors import InputError

SUPPORT = 4.0  # pixels that the kernel covers
Float64 = NDArray[np.float64]


def imresize(image: NDArray[Any], size: tuple[int, int]) -> NDArray[Any]:
    """`image` resized as `imresize(image, size)` of MATLAB does: bicubic, antialiased where a side gets smaller.

    The side with the smaller factor is resized first, the height if both are equal. Borders are mirrored.

    Args:
        image: uint8 or float [h, w] or [h, w, c].
        size: height and width of the result.

    Returns:
        uint8 for uint8, rounded after each side as MATLAB does, half away from 0; float64, which may leave the range
        of `image`, for floats.

    Raises:
        InputError: there are no pixels, or `size` asks for none.
    """
    if image.ndim not in (2, 3) or 0 in image.shape or image.dtype.kind not in "uf":
        raise InputError(f"an image {image.dtype} {list(image.shape)}: must be uint8 or float [h, w, c], without a 0")
    if min(size) < 1:
        raise InputError(f"size {list(size)}: an image has at least 1 x 1 pixels")
    for axis in sorted((0, 1), key=lambda axis: size[axis] / image.shape[axis]):
        resized = _along(image, axis, size[axis])
        image = _rounded(resized) if image.dtype == np.uint8 else resized
    return image


def cropped(image: NDArray[Any], scale: int) -> NDArray[Any]:
    """`image` [h, w, c] without its last rows and columns, so that both sides are multiples of `scale`."""
    height, width = (side - side % scale for side in image.shape[:2])
    return image[:height, :width]


def reduced(image: NDArray[Any], scale: int) -> NDArray[Any]:
    """The bicubic input of super-resolution: `cropped` image at 1 / scale of its sides.

    Raises:
        InputError: a side is shorter than `scale`.
    """
    whole = cropped(image, scale)
    if 0 in whole.shape:
        raise InputError(f"an image of {image.shape[1]} x {image.shape[0]} pixels has less than one pixel at 1/{scale}")
    return imresize(whole, (whole.shape[0] // scale, whole.shape[1] // scale))


def enlarged(image: NDArray[Any], scale: int) -> NDArray[Any]:
    """Bicubic interpolation to `scale` times the sides."""
    return imresize(image, (image.shape[0] * scale, image.shape[1] * scale))


def _along(image: NDArray[Any], axis: int, length: int) -> Float64:
    """float64 with `length` positions along `axis`."""
    before = image.shape[axis]
    weights, positions = _contributions(before, length)
    shape = [1] * image.ndim
    shape[axis] = length
    total = np.zeros((*image.shape[:axis], length, *image.shape[axis + 1 :]))
    for weight, position in zip(weights.T, positions.T, strict=True):
        total += weight.reshape(shape) * np.take(image, position, axis)
    return total


def _contributions(before: int, after: int) -> tuple[Float64, NDArray[np.int64]]:
    """Weights [after, taps] of a side's positions, and which positions, int64 [after, taps]."""
    scale = after / before
    narrow = min(scale, 1.0)  # the kernel is as much wider as the side gets shorter
    width = SUPPORT / narrow
    centres = (np.arange(after) + 0.5) / scale - 0.5
    taps = math.ceil(width) + 2
    positions = np.floor(centres - width / 2)[:, None] + np.arange(taps)
    weights = _cubic((centres[:, None] - positions) * narrow)
    used = weights.any(0)
    weights, positions = weights[:, used], positions[:, used].astype(np.int64)
    mirrored = np.concatenate([np.arange(before), np.arange(before)[::-1]])
    return weights / weights.sum(1, keepdims=True), mirrored[positions % (2 * before)]


def _cubic(x: Float64) -> Float64:
    """The kernel of Keys 1981 (equation 15), a = -1/2."""
    x = np.abs(x)
    near = (1.5 * x - 2.5) * x * x + 1
    far = ((-0.5 * x + 2.5) * x - 4) * x + 2
    return np.where(x <= 1, near, np.where(x <= 2, far, 0.0))


def _rounded(values: Float64) -> NDArray[np.uint8]:
    return np.asarray(np.floor(values + 0.5).clip(0, 255), np.uint8)
