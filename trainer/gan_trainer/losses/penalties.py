"""Gradient penalties on the discriminator: the points at which the gradient is computed, and the target of its norm.

WGAN-GP is (line, one), DRAGAN (around, one), R1 (real, zero) and R2 (fake, zero).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias

import torch
from torch import Tensor

Critic: TypeAlias = Callable[[Tensor], Tensor]
Where: TypeAlias = Literal["line", "real", "fake", "around"]
Form: TypeAlias = Literal["one", "zero"]
NOISE = 0.5  # size of DRAGAN's neighbourhood, in standard deviations of the data


@dataclass(frozen=True)
class Penalty:
    """A penalty: the points at which the gradient is computed, and the target of its norm."""

    where: Where
    form: Form


PENALTIES = {
    "gp": Penalty("line", "one"),  # Gulrajani et al. 2017, equation 3
    "gp0": Penalty("line", "zero"),  # Thanh-Tung et al. 2019, section 5
    "dragan": Penalty("around", "one"),  # Kodali et al. 2017, section 2.4
    "r1": Penalty("real", "zero"),  # Mescheder et al. 2018, equation 9
    "r2": Penalty("fake", "zero"),  # Mescheder et al. 2018, equation 10
}


def gradient_penalty(critic: Critic, real: Tensor, fake: Tensor, where: Where = "line", form: Form = "one") -> Tensor:
    """Mean over the batch of (||g|| - 1)^2 or ||g||^2, g = grad_x D(x) over all axes but the first; unweighted.

    Args:
        critic: images -> logits, float [n]. A logit should not depend on other images. With minibatch standard
            deviation, g is the gradient of the sum of all logits, as in StyleGAN's code.
        real: float [n, ...].
        fake: float [n, ...]; used only for "line" and "fake".
        where: "line", between real and fake, one ratio per sample (Gulrajani et al. 2017, algorithm 1);
            "real" or "fake", at the images themselves (Mescheder et al. 2018, equations 9 and 10);
            "around", between real and real + 0.5 * deviation * U[0, 1), one ratio per sample
            (Kodali et al. 2017, section 2.4, and its authors' code).
        form: "one" for (||g|| - 1)^2, "zero" for ||g||^2.

    Returns:
        A scalar that can be differentiated with respect to the critic's weights.
    """
    return penalty_at(critic, penalty_points(real.detach(), fake.detach(), where), form)


def penalty_points(real: Tensor, fake: Tensor, where: Where, shares: Tensor | None = None) -> Tensor:
    """The points at which the gradient is computed, float [n, ...].

    `shares` float [n] stand in for U[0, 1): 0 is real and 1 the other end, so on the line they are 1 - epsilon of
    Gulrajani et al. 2017, algorithm 1, line 6.
    """
    match where:
        case "real":
            return real
        case "fake":
            return fake
        case "line":
            end = fake
        case "around":
            end = real + NOISE * real.std() * torch.rand_like(real)
        case _:
            raise ValueError(f"where={where!r}: line, real, fake or around")
    shares = torch.rand(len(real), device=real.device, dtype=real.dtype) if shares is None else shares
    return real + shares.view(-1, *[1] * (real.ndim - 1)) * (end - real)


def penalty_at(critic: Critic, points: Tensor, form: Form) -> Tensor:
    """The penalty of `form` at `points`, float [n, ...]."""
    if form not in ("one", "zero"):
        raise ValueError(f"form={form!r}: one or zero")
    points = points.detach().requires_grad_(True)
    (gradient,) = torch.autograd.grad(critic(points).sum(), points, create_graph=True)
    slopes = gradient.flatten(1)
    if form == "zero":
        return slopes.square().sum(1).mean()
    norms: Tensor = torch.linalg.vector_norm(slopes, dim=1)
    return (norms - 1).square().mean()
