"""The trunk of EDSR (Lim et al. 2017) with the tail of `Compact`."""

from torch import Tensor, nn

from gan_trainer.networks.upscaling.upscaler import Upscaler, convolution, nearest, start_small


class Edsr(Upscaler):
    """Residual blocks without batch norm, then a sub-pixel convolution added to the nearest enlargement.

    EDSR enlarges its features before the last convolution, which takes most of the time; here all convolutions are at
    the size of the input.

    Args:
        scale: factor of the sides.
        channels: of the images.
        width: channels of the features.
        blocks: residual blocks.
    """

    def __init__(self, scale: int, channels: int, width: int, blocks: int) -> None:
        super().__init__(scale)
        self.conv_first = convolution(channels, width)
        self.body = nn.Sequential(*(ResidualBlock(width) for _ in range(blocks)))
        self.conv_after_body = convolution(width, width)
        self.conv_last = convolution(width, channels * scale**2)
        start_small(self.conv_last)
        self.upsampler = nn.PixelShuffle(scale)

    def forward(self, images: Tensor) -> Tensor:
        """See `Upscaler`."""
        x = self.conv_first(images)
        x = x + self.conv_after_body(self.body(x))
        detail: Tensor = self.upsampler(self.conv_last(x))
        return detail + nearest(images, self.scale)


class ResidualBlock(nn.Module):
    """x + conv(ReLU(conv(x))), float [n, width, h, w] (figure 2 (c))."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv1, self.conv2 = convolution(width, width), convolution(width, width)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        """Float of the same shape."""
        changed: Tensor = x + self.conv2(self.relu(self.conv1(x)))
        return changed
