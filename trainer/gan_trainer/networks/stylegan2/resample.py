"""StyleGAN2's low-pass filter, before a grid is halved and after it is doubled: [1, 3, 3, 1] / 8 in both directions."""

from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, interpolate, pad

TAPS = (1.0, 3.0, 3.0, 1.0)


class Smooth(nn.Module):
    """Filter each channel of grids float [n, channels, h, w], with `margin` zeros around them.

    Args:
        channels: of the grids. The exporter takes no weights whose shape depends on the input.
        margin: 0 to 3; the sides of the output are longer by 2 margin - 3.
        gain: of the output.
    """

    kernel: Tensor

    def __init__(self, channels: int, margin: int, gain: float = 1.0) -> None:
        super().__init__()
        taps = torch.tensor(TAPS) / sum(TAPS)
        kernel = (gain * taps[:, None] * taps).expand(channels, 1, -1, -1).clone()
        self.register_buffer("kernel", kernel, persistent=False)
        self.channels, self.margin = channels, margin

    def forward(self, x: Tensor) -> Tensor:
        """Float [n, channels, h, w] -> [n, channels, h + 2 margin - 3, w + 2 margin - 3]."""
        return self.filter(x, self.margin)

    def filter(self, x: Tensor, margin: int) -> Tensor:
        """The same with any margin from 0 to 3."""
        if not x.requires_grad:
            return self.convolve(x, margin)
        return cast(Tensor, _Filter.apply(x, self, margin))  # type: ignore[no-untyped-call]

    def convolve(self, x: Tensor, margin: int) -> Tensor:
        """The same without a gradient of its own."""
        return conv2d(x, self.kernel.to(x.dtype), padding=margin, groups=self.channels)


class _Filter(torch.autograd.Function):
    """The filter is symmetric, so its gradient is the filter itself, with the rest of the margin.

    As a plain convolution it would compute the gradient of its constant kernel when it is differentiated twice.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, smooth: Smooth, margin: int) -> Tensor:
        ctx.smooth, ctx.margin = smooth, margin
        return smooth.convolve(x, margin)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        return ctx.smooth.filter(gradients[0], len(TAPS) - 1 - ctx.margin), None, None


def double(images: Tensor) -> Tensor:
    """Twice the height and width: zeros between the pixels, then the filter with a gain of 4.

    That is bilinear interpolation of images with a border of zeros.

    Args:
        images: float [n, c, h, w].
    """
    framed = interpolate(pad(images, (1, 1, 1, 1)), scale_factor=2, mode="bilinear", align_corners=False)
    return framed[:, :, 2:-2, 2:-2]
