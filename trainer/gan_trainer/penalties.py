"""Gradient penalties on the discriminator."""

from collections.abc import Callable

import torch
from torch import Tensor


def r1_penalty(discriminator: Callable[[Tensor], Tensor], real: Tensor) -> Tensor:
    """Mean over the batch of ||grad_x D(x)||^2 at real images (Mescheder et al. 2018, equation 9), unweighted.

    Args:
        discriminator: images -> logits, float [n]; its output for one image must not depend on the others.
        real: float [n, ...].

    Returns:
        A scalar that can be differentiated once more, by the discriminator's weights.
    """
    images = real.detach().requires_grad_(True)
    logits = discriminator(images)
    (gradient,) = torch.autograd.grad(logits.sum(), images, create_graph=True)
    return gradient.float().square().flatten(1).sum(1).mean()
