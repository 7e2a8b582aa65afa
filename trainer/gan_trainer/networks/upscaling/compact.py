"""SRVGGNetCompact of Real-ESRGAN (Wang et al. 2021): plain convolutions at the size of the input."""

from collections.abc import Callable

from torch import Tensor, nn

from gan_trainer.networks.upscaling.upscaler import Upscaler, convolution, nearest, start_small

ACTIVATIONS: dict[str, Callable[[int], nn.Module]] = {
    "relu": lambda width: nn.ReLU(inplace=True),
    "prelu": nn.PReLU,
}


class Compact(Upscaler):
    """Convolutions and activations by turns, then a sub-pixel convolution (Shi et al. 2016) added to the nearest
    enlargement.

    Args:
        scale: factor of the sides.
        channels: of the images.
        width: channels of the features.
        blocks: convolutions between the first and the last one.
        activation: a key of `ACTIVATIONS`. PReLU has a slope per channel, and is slow to train in bf16.
    """

    def __init__(self, scale: int, channels: int, width: int, blocks: int, activation: str = "relu") -> None:
        super().__init__(scale)
        self.body = nn.ModuleList()
        for inputs in [channels] + [width] * blocks:
            self.body += [convolution(inputs, width), ACTIVATIONS[activation](width)]
        last = convolution(width, channels * scale**2)
        start_small(last)
        self.body.append(last)
        self.upsampler = nn.PixelShuffle(scale)

    def forward(self, images: Tensor) -> Tensor:
        """See `Upscaler`."""
        x = images
        for layer in self.body:
            x = layer(x)
        detail: Tensor = self.upsampler(x)
        return detail + nearest(images, self.scale)
