"""The residual generator of Zhu et al. 2017, section 7.2, after Johnson et al. 2016, section 3.1."""

from torch import Tensor, nn

from gan_trainer.networks.layers import Dropout, doubling, normalise, small_weights


class Block(nn.Module):
    """x + two 3x3 convolutions of x."""

    def __init__(self, width: int, norm: str, dropout: float) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            *_convolution(width, width, 3, norm),
            nn.ReLU(),
            *([Dropout(dropout)] if dropout else []),
            *_convolution(width, width, 3, norm),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Float [n, c, h, w] of the same shape."""
        change: Tensor = self.layers(x)
        return x + change


def resnet_body(
    source: int, channels: int, blocks: int, width: int, norm: str, up: str, dropout: float
) -> nn.Sequential:
    """Images float [n, c_in, h, w] -> values float [n, c, h, w] before the tanh; h and w are multiples of 4.

    Args: as of `unet.Unet`, and the number of residual blocks, which work at a quarter of the side with four times
        `width` channels.
    """
    layers = [*_convolution(source, width, 7, norm), nn.ReLU()]
    for fewer in (width, 2 * width):
        layers += [nn.Conv2d(fewer, 2 * fewer, 3, 2, 1, bias=norm != "batch"), *normalise(norm, 2 * fewer), nn.ReLU()]
    layers += [Block(4 * width, norm, dropout) for _ in range(blocks)]
    for more in (4 * width, 2 * width):
        layers += [*doubling(up, more, more // 2, 3, bias=norm != "batch"), *normalise(norm, more // 2), nn.ReLU()]
    return nn.Sequential(*layers, *_convolution(width, channels, 7, "none")).apply(small_weights)


def _convolution(inputs: int, outputs: int, kernel: int, norm: str) -> list[nn.Module]:
    """A convolution with padding by reflection, and its norm."""
    conv = nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, padding_mode="reflect", bias=norm != "batch")
    return [conv, *normalise(norm, outputs)]
