"""Convert between values of a network and pixel values, for previews, exports and their comparison."""

import torch
from torch import Tensor

WHITE = 255.0
GREY = 127.5  # pixel values from 0 to the middle, and from there to 255


def denormalise(images: Tensor) -> Tensor:
    """Float in [-1, 1] to float pixel values in [0, 255], any shape."""
    return images * GREY + GREY


def to_levels(images: Tensor) -> Tensor:
    """Float in [0, 1] to float pixel values in [0, 255], any shape."""
    return images * WHITE


def from_pixels(pixels: Tensor) -> Tensor:
    """uint8 [n, h, w, c] to float [n, c, h, w] in [0, 1]."""
    return pixels.permute(0, 3, 1, 2).float() / WHITE


def to_pixels(grey: Tensor) -> Tensor:
    """Float pixel values [n, c, h, w] to uint8 [n, h, w, c]: rounded half to even, and clipped."""
    return grey.round().clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1)


def normalise(pixels: Tensor) -> Tensor:
    """uint8 [n, h, w, c] to float [n, c, h, w] in [-1, 1]."""
    return pixels.permute(0, 3, 1, 2).float() / GREY - 1.0
