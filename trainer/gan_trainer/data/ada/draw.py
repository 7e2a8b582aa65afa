"""Random parameters of augmentations: one per image, used with a probability."""

import math

import torch
from torch import Tensor


class Draw:
    """Draws parameters for `n` images, from torch's default generator.

    Each method gives values of which a share `p`, a tensor, is used; the other images keep the neutral value, 0 or 1.
    The number of random numbers depends on n alone.
    """

    def __init__(self, n: int, p: Tensor) -> None:
        self.n, self.p = n, p

    def whole(self, count: int) -> Tensor:
        """0 .. count - 1 with equal probability; neutral: 0. Float [n]."""
        return self._used((self._uniform() * count).floor(), 0.0, self.p)

    def angles(self, p: Tensor) -> Tensor:
        """-pi to pi, used with probability `p`; neutral: 0. Float [n]."""
        return self._used((self._uniform() * 2 - 1) * math.pi, 0.0, p)

    def factors(self, deviation: float) -> Tensor:
        """2^x with x of N(0, deviation^2); neutral: 1. Float [n]."""
        return self._used(torch.exp2(self._normal() * deviation), 1.0, self.p)

    def offsets(self, deviation: float, axes: int = 1) -> list[Tensor]:
        """N(0, deviation^2), along all `axes` or along none; neutral: 0. Float [n] each."""
        return self._together([self._normal() * deviation for _ in range(axes)])

    def shifts(self, most: float, axes: int) -> list[Tensor]:
        """-most to most, along all `axes` or along none; neutral: 0. Float [n] each."""
        return self._together([(self._uniform() * 2 - 1) * most for _ in range(axes)])

    def _uniform(self) -> Tensor:
        return torch.rand(self.n, device=self.p.device)

    def _normal(self) -> Tensor:
        return torch.randn(self.n, device=self.p.device)

    def _used(self, values: Tensor, neutral: float, p: Tensor) -> Tensor:
        return torch.where(self._uniform() < p, values, neutral)

    def _together(self, values: list[Tensor]) -> list[Tensor]:
        used = self._uniform() < self.p
        return [torch.where(used, value, 0.0) for value in values]
