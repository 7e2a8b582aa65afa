"""Residual networks after Gulrajani et al. 2017, appendix F, and Miyato et al. 2018, appendix B.4.

As in conv.py, no convolution runs on the finest grid, only a pixel shuffle: four times as fast on a CPU.
`width` is the number of channels at half the image's side; each coarser grid has twice as many, at most four times.
Without norms, the last convolution of each block starts at zero (Zhang et al. 2019, "Fixup"; Huang et al. 2024).
"""

from itertools import pairwise

from torch import Tensor, nn

from gan_runtime.manifest import ImageSize
from gan_trainer.networks.grid import coarse_grid
from gan_trainer.networks.layers import Reshape, normalise

MOST = 4  # times `width`


class Block(nn.Module):
    """x + two 3 x 3 convolutions of x, on a grid twice as fine (`scale` 2), twice as coarse (1/2) or the same (1)."""

    def __init__(self, inputs: int, outputs: int, norm: str, scale: float = 1.0) -> None:
        super().__init__()
        up = [nn.Upsample(scale_factor=2, mode="nearest")] if scale > 1 else []
        down = [nn.AvgPool2d(2)] if scale < 1 else []
        last = nn.Conv2d(outputs, outputs, 3, padding=1)
        if norm == "none":
            nn.init.zeros_(last.weight)
        self.main = nn.Sequential(
            *normalise(norm, inputs),
            nn.LeakyReLU(0.2),
            *up,
            nn.Conv2d(inputs, outputs, 3, padding=1),
            *normalise(norm, outputs),
            nn.LeakyReLU(0.2),
            last,
            *down,
        )
        self.skip = nn.Sequential(*up, *([nn.Conv2d(inputs, outputs, 1)] if inputs != outputs else []), *down)

    def forward(self, x: Tensor) -> Tensor:
        """Float [n, inputs, h, w] -> [n, outputs, h * scale, w * scale]."""
        total: Tensor = self.skip(x) + self.main(x)
        return total


def generator_layers(inputs: int, size: ImageSize, width: int, norm: str) -> nn.Sequential:
    """Rows [n, inputs] -> images [n, c, h, w] before the tanh: one block per doubling, the last a pixel shuffle."""
    side, widths = _grid(size, width)
    widths.reverse()
    return nn.Sequential(
        nn.Linear(inputs, widths[0] * side * side),
        Reshape(widths[0], side, side),
        Block(widths[0], widths[0], norm),
        *(Block(more, fewer, norm, 2) for more, fewer in pairwise(widths)),
        *normalise(norm, widths[-1]),
        nn.LeakyReLU(0.2),
        nn.Conv2d(widths[-1], 4 * size.channels, 3, padding=1),
        nn.PixelShuffle(2),
    )


def feature_layers(size: ImageSize, width: int, norm: str, dropout: float = 0.0) -> tuple[nn.Sequential, int]:
    """Images [n, c, h, w] -> features [n, f], and f: one block per halving, then the mean over the grid."""
    side, widths = _grid(size, width)
    return nn.Sequential(
        nn.PixelUnshuffle(2),
        nn.Conv2d(4 * size.channels, widths[0], 3, padding=1),
        *(Block(fewer, more, norm, 0.5) for fewer, more in pairwise(widths)),
        Block(widths[-1], widths[-1], norm),
        nn.LeakyReLU(0.2),
        nn.AvgPool2d(side),
        nn.Flatten(),
    ), widths[-1]


def _grid(size: ImageSize, width: int) -> tuple[int, list[int]]:
    """Side of the coarsest grid, and the channels from the finest grid but one to the coarsest."""
    side, doublings = coarse_grid(size.height)
    return side, [width * min(2**i, MOST) for i in range(doublings)]
