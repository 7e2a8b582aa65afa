"""Batch norms whose statistics are those of the batches of all processes.

torch.nn.SyncBatchNorm computes them on GPUs alone, and cannot be differentiated twice, as gradient penalties need.
"""

from functools import cache
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from gan_trainer.training.distributed.processes import connected


class _Shared(_BatchNorm):
    """A batch norm that all processes of the run call at the same time, with batches of the same shape."""

    def forward(self, x: Tensor) -> Tensor:
        """Float [n, c, ...]; the statistics are computed in float32, in two passes, as they are in a single process."""
        if not self.training:
            return super().forward(x)
        axes = [0, *range(2, x.dim())]
        values = x.float()
        mean = _shared_mean(values.mean(axes, keepdim=True))
        centred = values - mean
        variance = _shared_mean(centred.square().mean(axes, keepdim=True))
        self._record(mean.flatten(), variance.flatten(), x.numel() // x.shape[1] * dist.get_world_size())
        normal = centred * (variance + self.eps).rsqrt()
        if self.affine:
            normal = normal * self.weight.view(mean.shape) + self.bias.view(mean.shape)
        return normal.to(x.dtype)

    @torch.no_grad()
    def _record(self, mean: Tensor, variance: Tensor, count: int) -> None:
        """Move the running statistics towards those of a batch, as torch does: with the variance of a sample."""
        if self.running_mean is None or self.running_var is None or self.num_batches_tracked is None:
            return
        self.num_batches_tracked += 1
        share = 1 / int(self.num_batches_tracked) if self.momentum is None else self.momentum
        self.running_mean.lerp_(mean, share)
        self.running_var.lerp_(variance * (count / (count - 1)), share)


class SharedBatchNorm1d(_Shared, nn.BatchNorm1d):
    """For rows float [n, c]."""


class SharedBatchNorm2d(_Shared, nn.BatchNorm2d):
    """For images float [n, c, h, w]."""


SHARED: dict[type[nn.Module], type[_Shared]] = {nn.BatchNorm1d: SharedBatchNorm1d, nn.BatchNorm2d: SharedBatchNorm2d}


def synchronised(network: nn.Module) -> int:
    """Let the batch norms of a network share their statistics, in place; returns their number.

    Their weights, and their names in state dictionaries, stay as they are. In evaluation mode they do as before.
    """
    norms = [module for module in network.modules() if type(module) in SHARED]
    for norm in norms:
        norm.__class__ = SHARED[type(norm)]
    return len(norms)


@cache
def exclude_from_compiling() -> None:
    """Let torch.compile leave these batch norms as they are. A decorator would import the compiler in every command."""
    _Shared.forward = torch.compiler.disable(_Shared.forward)  # type: ignore[method-assign, no-untyped-call]


class _Total(torch.autograd.Function):
    """The sum over all processes. Its derivative is a sum over all processes, too, which can be differentiated."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        total = x.detach().clone(memory_format=torch.contiguous_format)
        with connected():
            dist.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        return _Total.apply(gradients[0])  # type: ignore[no-untyped-call]


def _shared_mean(mean: Tensor) -> Tensor:
    """The mean of what the processes have."""
    total: Tensor = _Total.apply(mean)  # type: ignore[no-untyped-call]
    return total / dist.get_world_size()
