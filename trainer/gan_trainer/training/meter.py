"""Mean losses, and the moment when they stop being numbers."""

import math
from typing import Any

import torch
from torch import Tensor

from gan_runtime.errors import GanEdgeError


class Diverged(GanEdgeError):
    """A loss or a weight is no longer finite."""


class LossMeter:
    """Mean losses (discriminator, generator) since the last reset, kept on the device. Not every step has both."""

    def __init__(self, device: torch.device) -> None:
        self._sum = torch.zeros(2, device=device)
        self._counts = [0, 0]

    def add(self, d_loss: Tensor | None, g_loss: Tensor | None) -> None:
        """Count one step's losses, scalars."""
        for i, loss in enumerate((d_loss, g_loss)):
            if loss is not None:
                self._sum[i] += loss
                self._counts[i] += 1

    def check(self, step: int) -> None:
        """Raise Diverged if any loss since the last reset was not finite."""
        for name, value in zip(("discriminator", "generator"), self._sum.tolist(), strict=True):
            if not math.isfinite(value):
                raise Diverged(f"diverged at step {step}: the loss of the {name} is {value}")

    @property
    def steps(self) -> int:
        """How many steps were counted since the last reset."""
        return max(self._counts)

    def mean(self) -> tuple[float | None, float | None]:
        """Discriminator, generator; None for what no step had."""
        means = (total / n if n else None for total, n in zip(self._sum.tolist(), self._counts, strict=True))
        d_loss, g_loss = means
        return d_loss, g_loss

    def reset(self) -> None:
        """Start again."""
        self._sum.zero_()
        self._counts = [0, 0]

    def state_dict(self) -> dict[str, Any]:
        """For checkpoints: a resumed run logs what the run would have logged."""
        return {"sum": self._sum, "counts": list(self._counts)}

    def load_state_dict(self, saved: dict[str, Any]) -> None:
        """Go back to what `state_dict` returned."""
        self._sum.copy_(saved["sum"])
        self._counts = list(saved["counts"])
