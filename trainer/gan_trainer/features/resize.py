"""Resizing inside a graph: two matrix products, whose matrices are built from the size of the images."""

import torch
from torch import Tensor, nn


class Resize(nn.Module):
    """Images float [n, c, h, w] of any size -> [n, c, side, side], antialiased.

    The triangle filter of Pillow's and torch's antialiased "bilinear". The operator `Resize` of ONNX has `antialias`
    only from opset 18 on; products of matrices are exact at every opset.
    """

    centres: Tensor

    def __init__(self, side: int) -> None:
        super().__init__()
        centres = torch.arange(side)[:, None] + 0.5  # of the output pixels
        self.register_buffer("centres", centres, persistent=False)
        self.side = side

    def forward(self, images: Tensor) -> Tensor:
        """Average over the area of each output pixel, or interpolate if images are enlarged."""
        rows, columns = self._weights(images[0, 0, :, 0]), self._weights(images[0, 0, 0, :])
        return rows @ images @ columns.T

    def _weights(self, line: Tensor) -> Tensor:
        """The matrix [side, len(line)] of one axis. It reads no value of `line`, and its length only with operators,
        so that a trace of it fits every length.
        """
        places = torch.ones_like(line).cumsum(0) - 0.5
        scale = torch.ones_like(line).sum() / self.side
        distances = (places - self.centres * scale) / scale.clamp(min=1.0)
        weights = (1.0 - distances.abs()).clamp(min=0.0)
        return weights / weights.sum(1, keepdim=True)
