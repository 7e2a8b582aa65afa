"""Mean losses, and the detection of losses that are not finite."""

import math
from typing import Any

import torch
from torch import Tensor

from gan_runtime.errors import GanEdgeError


class Diverged(GanEdgeError):
    """A loss or a weight is no longer finite."""


class LossMeter:
    """Means of losses by name since the last reset, kept on the device. A step may omit losses."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._sums: dict[str, Tensor] = {}
        self._counts: dict[str, int] = {}

    def add(self, losses: dict[str, Tensor]) -> None:
        """Add the losses of one step, scalars."""
        for name, loss in losses.items():
            if name in self._sums:
                self._sums[name] += loss
                self._counts[name] += 1
            else:
                self._sums[name], self._counts[name] = loss.float().clone(), 1

    def check(self, step: int) -> None:
        """Raise Diverged if any loss since the last reset was not finite."""
        for name, value in self._totals().items():
            if not math.isfinite(value):
                raise Diverged(f"diverged at step {step}: {name} is {value}")

    @property
    def steps(self) -> int:
        """Number of steps since the last reset."""
        return max(self._counts.values(), default=0)

    def mean(self) -> dict[str, float]:
        """The mean of each loss over the steps that had it, sorted by name."""
        return {name: total / self._counts[name] for name, total in sorted(self._totals().items())}

    def reset(self) -> None:
        """Set all sums and counts to 0."""
        self._sums, self._counts = {}, {}

    def state_dict(self) -> dict[str, Any]:
        """The sums and counts, for checkpoints: a resumed run logs the same means as an uninterrupted one."""
        return {"sums": dict(self._sums), "counts": dict(self._counts)}

    def load_state_dict(self, saved: dict[str, Any]) -> None:
        """Restore what `state_dict` returned."""
        self._sums = {name: total.to(self._device) for name, total in saved["sums"].items()}
        self._counts = dict(saved["counts"])

    def _totals(self) -> dict[str, float]:
        """All sums, read from the device at once."""
        if not self._sums:
            return {}
        return dict(zip(self._sums, torch.stack(list(self._sums.values())).tolist(), strict=True))
