"""The residual discriminator of StyleGAN2 (Karras et al. 2020, section 4), with labels as in its authors' code."""

import math
from collections.abc import Mapping as Table
from itertools import pairwise

from torch import Tensor, nn

from gan_runtime.manifest import ImageSize
from gan_trainer.networks.layers import MinibatchDeviation
from gan_trainer.networks.stylegan2.canvas import COARSEST, canvas_side, grids, on_canvas
from gan_trainer.networks.stylegan2.equalised import EqualisedConv, EqualisedLinear
from gan_trainer.networks.stylegan2.mapping import Mapping

HALF = math.sqrt(0.5)  # the sum of two paths keeps the second moment


class ResidualBlock(nn.Module):
    """Two convolutions beside a 1x1 one, all of which halve the grid."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv = EqualisedConv(inputs, inputs, 3)
        self.down = EqualisedConv(inputs, outputs, 3, halving=True, gain=HALF)
        self.skip = EqualisedConv(inputs, outputs, 1, halving=True, active=False, gain=HALF)

    def forward(self, x: Tensor) -> Tensor:
        """Float [n, inputs, h, w] -> [n, outputs, h / 2, w / 2]."""
        halved: Tensor = self.skip(x) + self.down(self.conv(x))
        return halved


class StyleDiscriminator(nn.Module):
    """Images (and labels) -> logits.

    Args:
        size: of the images, which are put on a canvas (`canvas.py`).
        channels: of each grid, by its side: 4, 8, … to that of the canvas.
        classes: 0 for an unconditional one.
        mapping_layers, mapping_rate: of the network from labels to the vector that the output is projected on.
    """

    def __init__(
        self, size: ImageSize, channels: Table[int, int], classes: int, mapping_layers: int, mapping_rate: float
    ) -> None:
        super().__init__()
        self.side = canvas_side(size)
        widths = [channels[side] for side in reversed(grids(self.side))]
        last = widths[-1]
        self.from_images = EqualisedConv(size.channels, widths[0], 1)
        self.blocks = nn.Sequential(*(ResidualBlock(fewer, more) for fewer, more in pairwise(widths)))
        self.deviation = MinibatchDeviation()
        self.conv = EqualisedConv(last + 1, last, 3)
        self.linear = EqualisedLinear(last * COARSEST**2, last, active=True)
        self.output = EqualisedLinear(last, last if classes else 1)
        self.mapping = Mapping(0, classes, last, mapping_layers, mapping_rate) if classes else None

    def forward(self, images: Tensor, labels: Tensor | None = None) -> Tensor:
        """Images float [n, c, h, w], labels int64 [n] -> logits float [n]. Groups of four share a deviation."""
        x = self.blocks(self.from_images(on_canvas(images, self.side)))
        x = self.output(self.linear(self.conv(self.deviation(x)).flatten(1)))
        if self.mapping is None:
            logits: Tensor = x.squeeze(1)
            return logits
        target: Tensor = self.mapping(None, labels)
        projected: Tensor = (x * target).sum(1) / math.sqrt(int(target.shape[1]))
        return projected
