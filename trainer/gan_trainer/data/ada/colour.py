"""Augmentations of colour as 4x4 matrices of homogeneous colours.

Each operation is I + a M with a parameter a per image and a fixed matrix M. Of two operations, the first one is the
right factor of the product.
"""

import torch
from torch import Tensor

from gan_trainer.data.ada.draw import Draw

BRIGHTNESS = 0.2  # deviation
CONTRAST, SATURATION = 0.5, 1.0  # deviations of the logarithms to base 2
ONES = torch.tensor([1.0, 1.0, 1.0, 0.0])
CHANNELS, LUMA = torch.diag(ONES), torch.outer(ONES, ONES) / 3  # projections on colours and on the grey axis
CHROMA = CHANNELS - LUMA
OFFSET = torch.outer(ONES, torch.tensor([0.0, 0.0, 0.0, 1.0]))
ACROSS = torch.tensor([[0.0, -1, 1, 0], [1, 0, -1, 0], [-1, 1, 0, 0], [0, 0, 0, 0]]) / 3**0.5  # the grey axis x colour


def colours(draw: Draw) -> Tensor:
    """Brightness, contrast, inversion of luma, rotation of hue, and saturation, in this order: float [n, 4, 4]."""
    (brightness,) = draw.offsets(BRIGHTNESS)
    contrast, inverted = draw.factors(CONTRAST), draw.whole(2)
    hue, saturation = draw.angles(draw.p), draw.factors(SATURATION)
    parts = [
        plus(brightness, OFFSET),
        plus(contrast - 1, CHANNELS),
        plus(-2 * inverted, LUMA),
        rotated(hue),
        plus(saturation - 1, CHROMA),
    ]
    product = parts[0]
    for part in parts[1:]:
        product = part @ product
    return product


def plus(amounts: Tensor, matrix: Tensor) -> Tensor:
    """I + amount * matrix for each amount, float [n]: [n, 4, 4]."""
    return torch.eye(4, device=amounts.device) + amounts[:, None, None] * matrix.to(amounts.device)


def rotated(angles: Tensor) -> Tensor:
    """Rotate colours about the grey axis by angles float [n] (Rodrigues' formula): [n, 4, 4]."""
    return plus(angles.sin(), ACROSS) + plus(angles.cos() - 1, CHROMA) - torch.eye(4, device=angles.device)


def recoloured(images: Tensor, matrices: Tensor) -> Tensor:
    """Images float [n, c, h, w] under matrices [n, 4, 4]. All but RGB images are taken for grey, channel by channel."""
    matrices = matrices.to(images.dtype)
    if images.shape[1] == 3:
        return torch.baddbmm(matrices[:, :3, 3:], matrices[:, :3, :3], images.flatten(2)).view(images.shape)
    gain, offset = matrices[:, :1, :3].sum(2, keepdim=True), matrices[:, :1, 3:]
    return images * gain[..., None] + offset[..., None]
