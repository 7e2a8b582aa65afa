"""Path length regularisation (Karras et al. 2020, section 3.2): steps in style space should change images alike."""

import math

import torch
from torch import Tensor


def path_lengths(images: Tensor, styles: Tensor, directions: Tensor | None = None) -> Tensor:
    """||J^T y|| of equation 4, J the derivative of the image by the style and y ~ N(0, I) / sqrt(h w).

    Args:
        images: float [n, c, h, w], computed from `styles`; no image from the styles of another one.
        styles: float [n, layers, d]. The squared length is the mean of those of the layers, as in the authors' code.
        directions: stand in for N(0, I), float [n, c, h, w].

    Returns:
        Lengths float [n], which can be differentiated.
    """
    directions = torch.randn_like(images) if directions is None else directions
    along = (images * directions).sum() / math.sqrt(images.shape[2] * images.shape[3])
    (gradient,) = torch.autograd.grad(along, styles, create_graph=True)
    return gradient.square().sum(2).mean(1).sqrt()


def path_penalty(lengths: Tensor, mean: Tensor, share: float) -> tuple[Tensor, Tensor]:
    """The mean of (length - a)^2, equation 4, where a is the moving average of the lengths.

    Args:
        lengths: float [n].
        mean: the average before these lengths, a scalar.
        share: of these lengths in the new average.

    Returns:
        The penalty, and the new average without gradients.
    """
    average = mean.lerp(lengths.mean(), share)
    return (lengths - average).square().mean(), average.detach()
