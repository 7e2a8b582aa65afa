"""What processes that train together exchange in every step.

Every function does nothing in a run of one process. In a run of several, all of them call it at the same point of a
step, and all have the same result, bit for bit.
"""

from collections.abc import Callable, Iterable

import torch
import torch.distributed as dist
from torch import Tensor, nn

from gan_trainer.training.distributed.processes import Processes, connected


def average_gradients(processes: Processes, optimizer: torch.optim.Optimizer) -> None:
    """Replace the gradients of the weights that an optimizer trains by their means over all processes."""
    if processes.alone:
        return
    weights = [weight for group in optimizer.param_groups for weight in group["params"]]
    average_tensors(processes, [weight.grad for weight in weights if weight.grad is not None])


def average_buffers(processes: Processes, modules: Iterable[nn.Module]) -> None:
    """Replace floating-point buffers, such as the statistics of batch norms, by their means over all processes.

    The means are computed in float64, so that a buffer which is the same everywhere does not change.
    """
    if processes.alone:
        return
    buffers = [buffer for module in modules for buffer in module.buffers() if buffer.is_floating_point()]
    average_tensors(processes, buffers, torch.float64)


def mean_losses(processes: Processes, losses: dict[str, Tensor]) -> dict[str, Tensor]:
    """The means over all processes of losses by name, scalars."""
    if processes.alone:
        return losses
    means = {name: loss.detach().float().clone() for name, loss in losses.items()}
    average_tensors(processes, list(means.values()))
    return means


@torch.no_grad()
def average_tensors(processes: Processes, tensors: list[Tensor], dtype: torch.dtype | None = None) -> None:
    """Replace tensors of any shapes by their means over all processes, which are computed in `dtype` if it is given."""
    if processes.alone or not tensors:
        return
    flat = torch.cat([tensor.flatten().to(dtype or tensor.dtype) for tensor in tensors])
    with connected():
        dist.all_reduce(flat)
    flat.div_(processes.size)
    for tensor, part in zip(tensors, torch.split(flat, [tensor.numel() for tensor in tensors]), strict=True):
        tensor.copy_(part.view(tensor.shape))


@torch.no_grad()
def gathered(processes: Processes, tensor: Tensor) -> Tensor:
    """The rows that all processes have, in the order of their ranks. Each has as many."""
    if processes.alone:
        return tensor
    parts = [torch.empty_like(tensor, memory_format=torch.contiguous_format) for _ in range(processes.size)]
    with connected():
        dist.all_gather(parts, tensor.contiguous())
    return torch.cat(parts)


@torch.no_grad()
def by_first(processes: Processes, work: Callable[[Tensor], Tensor], rows: Tensor) -> Tensor:
    """What `work` makes of these rows, where the first process does it for the rows of all.

    Args:
        processes: those that train together.
        work: rows -> as many rows of the same shape and type. What it remembers is known to the first process alone.
        rows: [n, ...].
    """
    if processes.alone:
        return work(rows)
    everyones = gathered(processes, rows)
    made = work(everyones).contiguous() if processes.first else torch.empty_like(everyones)
    with connected():
        dist.broadcast(made, 0)
    return made.chunk(processes.size)[processes.rank]
