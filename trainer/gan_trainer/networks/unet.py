"""The U-Net of Isola et al. 2017, section A.1.1: halves the grid, doubles it again, and skips at every size."""

import torch
from torch import Tensor, nn

from gan_trainer.networks.layers import Dropout, doubling, normalise, small_weights

MOST = 8  # times `width`


class Unet(nn.Module):
    """Images float [n, c_in, h, w] -> values float [n, c, h, w] before the tanh; h and w are multiples of 2**downs.

    Args:
        source: channels of the input.
        channels: channels of the output.
        downs: how often the grid is halved.
        width: channels of the first layer; each coarser grid has twice as many, at most eight times as many.
        norm: a kind of `normalise`; the first layer, the last one and the coarsest grid have no norm.
        up: a kind of `doubling`.
        dropout: rate in the layers between equal numbers of channels on the way up.
    """

    def __init__(self, source: int, channels: int, downs: int, width: int, norm: str, up: str, dropout: float) -> None:
        super().__init__()
        widths = [width * min(2**i, MOST) for i in range(downs)]
        bias = norm != "batch"
        self.downs = nn.ModuleList([nn.Conv2d(source, width, 4, 2, 1)])
        self.ups = nn.ModuleList([nn.Sequential(nn.ReLU(), *doubling(up, 2 * width, channels, 4))])
        for i in range(1, downs):
            fewer, more, coarsest = widths[i - 1], widths[i], i == downs - 1
            after = [] if coarsest else normalise(norm, more)
            conv = nn.Conv2d(fewer, more, 4, 2, 1, bias=bias or coarsest)
            self.downs.append(nn.Sequential(nn.LeakyReLU(0.2), conv, *after))
            layers = [
                nn.ReLU(),
                *doubling(up, more if coarsest else 2 * more, fewer, 4, bias=bias),
                *normalise(norm, fewer),
            ]
            if dropout and fewer == more and not coarsest:
                layers.append(Dropout(dropout))
            self.ups.insert(0, nn.Sequential(*layers))
        self.apply(small_weights)

    def forward(self, images: Tensor) -> Tensor:
        """The values of the translated images."""
        x: Tensor = images
        passed: list[Tensor] = []
        for down in self.downs:
            x = down(x)
            passed.append(x)
        x = self.ups[0](passed.pop())
        for up in self.ups[1:]:
            x = up(torch.cat([passed.pop(), x], 1))
        return x
