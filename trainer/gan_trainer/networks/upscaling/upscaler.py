"""What the networks that enlarge images have in common."""

from typing import ClassVar

from torch import Tensor, nn
from torch.nn.functional import interpolate

LAST = 0.1  # factor of the initial weights of a last layer whose output is added to the enlarged input


class Upscaler(nn.Module):
    """Images float [n, c, h, w] -> images float [n, c, scale h, scale w].

    Attributes:
        scale: factor of the sides.
        multiple: h and w must be multiples of it.
        least: the smallest h and w.
        norm: the kind of normalisation.
    """

    norm: ClassVar[str] = "none"

    def __init__(self, scale: int, multiple: int = 1) -> None:
        super().__init__()
        self.scale, self.multiple, self.least = scale, multiple, multiple


def nearest(images: Tensor, scale: int) -> Tensor:
    """Every pixel of [n, c, h, w] becomes a square of scale x scale."""
    return interpolate(images, scale_factor=scale, mode="nearest")


def convolution(inputs: int, outputs: int) -> nn.Conv2d:
    """A convolution of 3 x 3 that keeps the size."""
    return nn.Conv2d(inputs, outputs, 3, padding=1)


def start_small(last: nn.Conv2d, factor: float = LAST) -> None:
    """Let the network begin as the enlargement of its input, nearly."""
    nn.init.zeros_(last.bias)  # type: ignore[arg-type]
    last.weight.data *= factor
