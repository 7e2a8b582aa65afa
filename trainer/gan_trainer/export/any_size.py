"""Images of any size for a network that takes multiples of its stride: padded and cropped in the graph."""

import torch
from torch import Tensor, nn
from torch.onnx.operators import shape_as_tensor


class AnySize(nn.Module):
    """A network for images of any size from 1x1 up: it pads them at the bottom and the right, and crops the results.

    Padding repeats the last row and the last column as often as it is needed.

    Args:
        network: images float [n, c, h, w] -> float [n, c', scale h, scale w].
        multiple: height and width that the network takes are multiples of it.
        least: the smallest height and width that it takes.
        scale: its results are so many times as high and wide.
    """

    def __init__(self, network: nn.Module, multiple: int, least: int, scale: int = 1) -> None:
        super().__init__()
        self.network = network
        self.multiple = multiple
        self.least = -(-least // multiple) * multiple
        self.scale = scale
        self.eval()  # the exporter restores the mode of this module, and would set `network` to training mode

    def forward(self, images: Tensor) -> Tensor:
        """Images float [n, c, h, w] -> float [n, c', scale h, scale w]."""
        shape = shape_as_tensor(images)  # a tensor, which a trace keeps as it is
        height, width = shape[2], shape[3]
        padded = images.index_select(2, self._places(height)).index_select(3, self._places(width))
        values: Tensor = self.network(padded)[:, :, : self.scale * height, : self.scale * width]
        return values

    def _places(self, length: Tensor) -> Tensor:
        """The row or column of the image at each place of the padded one, int64."""
        padded = ((length + self.multiple - 1) // self.multiple * self.multiple).clamp(min=self.least)
        return torch.minimum(torch.arange(padded), length - 1)  # type: ignore[call-overload]
