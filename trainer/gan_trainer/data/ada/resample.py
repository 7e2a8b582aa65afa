"""Images under 3x3 matrices: exactly where they move whole pixels, filtered elsewhere. What lies outside is mirrored.

Filtering is that of Karras et al. 2020, appendix B: twice as many samples by an orthogonal wavelet, bilinear
interpolation there, and back by the same wavelet. Both steps are products with a matrix per axis.
"""

from functools import cache
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import affine_grid, grid_sample, hardshrink

# Least asymmetric orthogonal wavelet with six vanishing moments, sym6: Daubechies 1992, "Ten lectures", table 6.3.
SYM6 = torch.tensor(
    [
        *(0.015404109327027373, 0.0034907120842174702, -0.11799011114819057, -0.048311742585633),
        *(0.4910559419267466, 0.787641141030194, 0.3379294217276218, -0.07263752278646252),
        *(-0.021060292512300564, 0.04472490177066578, 0.0017677118642428036, -0.007800708325034148),
    ],
    dtype=torch.float64,
)
MIDDLE = 5  # the tap about which it is nearly symmetric
BORDER = 6  # fine samples around the result that the filter reaches
MARGIN = 8  # fine samples around the image that are those of the mirrored image; farther ones are mirrored themselves
BILINEAR, CLAMPED = 0, 1  # of torch's grid_sampler_2d_backward


def transformed(images: Tensor, blits: Tensor, general: Tensor) -> Tensor:
    """The images under `blits`, which move whole pixels, and then under `general`.

    Args:
        images: float [n, c, h, w].
        blits: float [n, 3, 3].
        general: float [n, 3, 3]. Only images for which it is not the identity are filtered.
    """
    filtered = (general != torch.eye(3, device=general.device)).flatten(1).any(1).nonzero().flatten()
    if len(filtered) == len(images):
        return resampled(images, blits @ general)
    result = moved(images, blits)
    if not len(filtered):
        return result
    return result.index_copy(0, filtered, resampled(images[filtered], (blits @ general)[filtered]))


def moved(images: Tensor, matrices: Tensor) -> Tensor:
    """Images float [n, c, h, w] under matrices [n, 3, 3] that take pixels to pixels."""
    _, channels, height, width = images.shape
    x, y = torch.arange(width) - (width - 1) / 2, torch.arange(height) - (height - 1) / 2
    grid = torch.stack([x.expand(height, -1), y[:, None].expand(-1, width), torch.ones(height, width)]).flatten(1)
    columns, rows = (matrices[:, :2] @ grid.to(matrices)).unbind(1)
    rows, columns = mirrored(rows + (height - 1) / 2, height), mirrored(columns + (width - 1) / 2, width)
    index = (rows * width + columns).round().long()[:, None]
    return images.flatten(2).gather(2, index.expand(-1, channels, -1)).view(images.shape)


def resampled(images: Tensor, matrices: Tensor) -> Tensor:
    """Images float [n, c, h, w] under any matrices [n, 3, 3]; linear in the images, twice differentiable."""
    _, _, height, width = images.shape
    (up_y, down_y), (up_x, down_x) = (filters(side, images.dtype, images.device) for side in (height, width))
    fine = up_y @ (images @ up_x.T)
    drawn = _Sample.apply(fine, places(matrices.to(images), height, width))  # type: ignore[no-untyped-call]
    result: Tensor = down_y @ (drawn @ down_x.T)
    return result


def places(matrices: Tensor, height: int, width: int) -> Tensor:
    """Where each fine sample of the result lies among those of `filters`, in units of grid_sample: [n, h', w', 2]."""
    ends = torch.tensor([width - 1, height - 1], dtype=matrices.dtype, device=matrices.device)  # in fine samples
    seen = torch.cat([ends + BORDER, ends.new_full((1,), 2.0)]) / 2  # in pixels
    theta = matrices[:, :2] * seen * 2 / (ends + MARGIN)[:, None]
    shape = [len(matrices), 1, *(2 * side - 1 + 2 * BORDER for side in (height, width))]
    grid = affine_grid(theta, shape, align_corners=True)
    edges = (ends / (ends + MARGIN)).repeat(shape[-1], 1)  # a whole row: much faster than two numbers
    outside = hardshrink(grid, 1.0)  # 0 inside
    return grid.sub_(outside, alpha=2).addcmul_(outside.sign_(), edges, value=2)


@cache
def filters(side: int, dtype: torch.dtype, device: torch.device) -> tuple[Tensor, Tensor]:
    """Matrices from `side` pixels to fine samples, and from fine samples of the result to its pixels.

    Fine sample 2 i is at pixel i. The first matrix gives samples from -MARGIN to 2 (side - 1) + MARGIN, the second one
    takes those from -BORDER to 2 (side - 1) + BORDER.
    """
    taps, pixels = torch.arange(len(SYM6)), torch.arange(side)[:, None]
    sources = torch.arange(-MARGIN, 2 * side - 1 + MARGIN)[:, None] + MIDDLE - taps  # twice the pixel
    gains = torch.where(sources % 2 == 0, SYM6 * 2**0.5, 0.0)
    up = torch.zeros(len(sources), side, dtype=SYM6.dtype)
    up.scatter_add_(1, mirrored(sources // 2, side), gains)
    down = torch.zeros(side, 2 * side - 1 + 2 * BORDER, dtype=SYM6.dtype)
    down.scatter_(1, 2 * pixels + BORDER - MIDDLE + taps, (SYM6 / 2**0.5).expand(side, -1))
    return up.to(device, dtype), down.to(device, dtype)


def mirrored(positions: Tensor, side: int) -> Tensor:
    """Positions mirrored at the first and last of `side` pixels."""
    period = 2 * (side - 1)
    inside = positions % period
    return torch.minimum(inside, period - inside)


class _Sample(torch.autograd.Function):
    """Bilinear interpolation of images [n, c, h, w] at a grid [n, h', w', 2], clamped to them.

    The gradient of torch's own grid_sample cannot be differentiated again. This one is the transposed operation, whose
    gradient is the operation itself. The grid has no gradient.
    """

    @staticmethod
    def forward(context: Any, images: Tensor, grid: Tensor) -> Tensor:
        context.save_for_backward(grid)
        context.shape = images.shape
        return grid_sample(images, grid, padding_mode="border", align_corners=True)

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return _Spread.apply(gradient, *context.saved_tensors, context.shape), None  # type: ignore[no-untyped-call]


class _Spread(torch.autograd.Function):
    """The transpose of `_Sample`: adds each value to the pixels that it was interpolated from."""

    @staticmethod
    def forward(context: Any, values: Tensor, grid: Tensor, shape: torch.Size) -> Tensor:
        context.save_for_backward(grid)
        like = values.new_empty(shape)
        spread = torch.ops.aten.grid_sampler_2d_backward
        images: Tensor = spread(values, like, grid, BILINEAR, CLAMPED, True, [True, False])[0]
        return images

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        return _Sample.apply(gradient, *context.saved_tensors), None, None  # type: ignore[no-untyped-call]
