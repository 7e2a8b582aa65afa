"""Transposed convolutions that give the same bits for a tile as for the whole picture."""

from copy import deepcopy

import torch
from torch import Tensor, nn

MOST = 128  # channels: up to these, ONNX Runtime's matrix product adds in one order whatever the number of columns


class InParts(nn.Module):
    """A transposed convolution as the sum of several ones of `MOST` input channels each.

    ONNX Runtime computes a transposed convolution as a matrix product. It adds up long rows in blocks, whose length
    depends on the number of pixels if these are few (64 and less, in `MlasSgemmOperation`), so that the rounding of a
    tile would differ from that of the picture.
    """

    def __init__(self, layer: nn.ConvTranspose2d) -> None:
        super().__init__()
        self.parts = nn.ModuleList()
        for first in range(0, layer.in_channels, MOST):
            part = deepcopy(layer)
            part.weight = nn.Parameter(layer.weight.detach()[first : first + MOST].clone())
            part.in_channels = len(part.weight)
            part.bias = None if first else layer.bias
            self.parts.append(part)
        self.eval()

    def forward(self, x: Tensor) -> Tensor:
        """The result of the layer."""
        first, *others = (part(some) for part, some in zip(self.parts, torch.split(x, MOST, 1), strict=True))
        total: Tensor = sum(others, first)
        return total


def in_parts(module: nn.Module) -> nn.Module:
    """Replace the transposed convolutions of `module` that have more than `MOST` input channels, in place."""
    for parent in list(module.modules()):
        for name, layer in parent.named_children():
            if type(layer) is nn.ConvTranspose2d and layer.groups == 1 and layer.in_channels > MOST:
                setattr(parent, name, InParts(layer))
    return module
