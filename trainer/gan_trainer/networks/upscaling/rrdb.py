"""RRDBNet of ESRGAN (Wang et al. 2018), and its variants for other scales of Real-ESRGAN (Wang et al. 2021)."""

import torch
from torch import Tensor, nn
from torch.nn.functional import leaky_relu, pixel_unshuffle

from gan_trainer.networks.upscaling.upscaler import Upscaler, convolution, nearest

GROWTH = 32
SLOPE = 0.2  # of the leaky ReLUs
RESIDUAL = 0.2  # factor of all residuals (section 3.1)
STAGES = {2: (2,), 3: (3,), 4: (2, 2), 8: (2, 2, 2)}  # enlargements of the features, by their product


class Rrdb(Upscaler):
    """Residual-in-residual dense blocks at the size of the input, then nearest enlargements with convolutions.

    Args:
        scale: factor of the sides.
        channels: of the images.
        width: channels of the features.
        blocks: residual-in-residual dense blocks.
        growth: channels that each layer of a dense block adds.
        unshuffle: blocks of so many x so many pixels of the input become channels of one; the features are enlarged by
            scale * unshuffle, a key of `STAGES`.
        channels_out: of the result, if other than `channels`.
    """

    def __init__(
        self,
        scale: int,
        channels: int,
        width: int,
        blocks: int,
        growth: int = GROWTH,
        unshuffle: int = 1,
        channels_out: int | None = None,
    ) -> None:
        super().__init__(scale, unshuffle)
        self.stages = STAGES[scale * unshuffle]
        self.conv_first = convolution(channels * unshuffle**2, width)
        self.body = nn.Sequential(*(ResidualInResidual(width, growth) for _ in range(blocks)))
        self.conv_body = convolution(width, width)
        for number, _ in enumerate(self.stages, 1):
            self.add_module(f"conv_up{number}", convolution(width, width))
        self.conv_hr = convolution(width, width)
        self.conv_last = convolution(width, channels_out or channels)

    def forward(self, images: Tensor) -> Tensor:
        """See `Upscaler`."""
        x = self.conv_first(pixel_unshuffle(images, self.multiple) if self.multiple > 1 else images)
        x = x + self.conv_body(self.body(x))
        for number, factor in enumerate(self.stages, 1):
            x = leaky_relu(self.get_submodule(f"conv_up{number}")(nearest(x, factor)), SLOPE)
        enlarged: Tensor = self.conv_last(leaky_relu(self.conv_hr(x), SLOPE))
        return enlarged


class ResidualInResidual(nn.Module):
    """Three dense blocks with a residual around them (figure 4), float [n, width, h, w]."""

    def __init__(self, width: int, growth: int) -> None:
        super().__init__()
        self.rdb1, self.rdb2, self.rdb3 = (DenseBlock(width, growth) for _ in range(3))

    def forward(self, x: Tensor) -> Tensor:
        """Float of the same shape."""
        changed: Tensor = x + RESIDUAL * self.rdb3(self.rdb2(self.rdb1(x)))
        return changed


class DenseBlock(nn.Module):
    """Five convolutions, each of the block's input and the outputs of all before it, float [n, width, h, w]."""

    SMALLER = 0.1  # factor of He's initial weights (appendix A, "smaller initialization")

    def __init__(self, width: int, growth: int) -> None:
        super().__init__()
        for number in range(1, 6):
            layer = convolution(width + (number - 1) * growth, growth if number < 5 else width)
            nn.init.kaiming_normal_(layer.weight).data *= self.SMALLER
            nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
            self.add_module(f"conv{number}", layer)

    def forward(self, x: Tensor) -> Tensor:
        """Float of the same shape."""
        known = x
        for number in range(1, 5):
            known = torch.cat([known, leaky_relu(self.get_submodule(f"conv{number}")(known), SLOPE)], 1)
        changed: Tensor = x + RESIDUAL * self.get_submodule("conv5")(known)
        return changed
