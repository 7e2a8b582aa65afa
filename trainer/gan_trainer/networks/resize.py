"""Resizing as two matrix products, in a graph that takes images of any size.

The operator `Resize` of ONNX has neither antialiasing before opset 18 nor the bicubic filter of Pillow. Each
function here returns the matrix float [side, n] of one axis: row i has the weights of the n pixels for output pixel i.
"""

from collections.abc import Callable
from typing import TypeAlias

import torch
from torch import Tensor, nn

Filter: TypeAlias = Callable[[Tensor, int], Tensor]
"""(pixels float [n]: 0, 1, ..., n - 1; side) -> weights float [side, n]. It reads n from `pixels`, not from a shape,
so that a traced graph takes every n."""


class Resize(nn.Module):
    """Images float [n, c, h, w] -> [n, c, side, side]."""

    def __init__(self, side: int, weights: Filter) -> None:
        super().__init__()
        self.side = side
        self.weights = weights

    def forward(self, images: Tensor) -> Tensor:
        """See the class."""
        rows, columns = (
            self.weights(torch.arange(images.shape[axis], dtype=images.dtype), self.side) for axis in (2, 3)
        )
        return rows @ images @ columns.T


def bilinear_from_corner(pixels: Tensor, side: int) -> Tensor:
    """`tf.image.resize_bilinear` of TensorFlow 1: output pixel i is at i * n / side, without half-pixel offset.

    There is no antialiasing.
    """
    return _between_neighbours(torch.arange(side) * ((pixels[-1] + 1) / side), pixels)


def bilinear(pixels: Tensor, side: int) -> Tensor:
    """`torch.nn.functional.interpolate` with mode "bilinear" and `align_corners=False`. There is no antialiasing."""
    return _between_neighbours((torch.arange(side) + 0.5) * ((pixels[-1] + 1) / side) - 0.5, pixels)


def antialiased_bilinear(pixels: Tensor, side: int) -> Tensor:
    """The triangle filter of Pillow's `resize` with BILINEAR, and of torch's "bilinear" with `antialias=True`."""
    weights = (1.0 - _distances(pixels, side).abs()).clamp(min=0.0)
    return weights / weights.sum(1, keepdim=True)


def antialiased_bicubic(pixels: Tensor, side: int) -> Tensor:
    """Pillow's `resize` with BICUBIC: Keys' kernel with a = -0.5, scaled to the size of an output pixel."""
    x = _distances(pixels, side).abs()
    inner, outer = (1.5 * x - 2.5) * x * x + 1.0, ((2.5 - 0.5 * x) * x - 4.0) * x + 2.0
    weights = torch.where(x < 1.0, inner, torch.where(x < 2.0, outer, torch.zeros_like(x)))
    return weights / weights.sum(1, keepdim=True)


def _distances(pixels: Tensor, side: int) -> Tensor:
    """From each output pixel to each pixel [side, n], in the unit of the larger ones."""
    n = pixels[-1] + 1
    distances = ((2 * pixels + 1) * side - (2 * torch.arange(side)[:, None] + 1) * n) / (2 * side)  # exact numerator
    return distances / (n / side).clamp(min=1.0)


def _between_neighbours(places: Tensor, pixels: Tensor) -> Tensor:
    """Linear interpolation at `places` [side]; positions outside of the image are clamped to its border."""
    places = places.clamp(min=0.0).minimum(pixels[-1])
    return (1.0 - (pixels - places[:, None]).abs()).clamp(min=0.0)
