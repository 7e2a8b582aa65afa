"""The processes that train one run together, as one of them sees them, and what they agree on."""

import io
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

import numpy as np
import torch
import torch.distributed as dist

from gan_runtime.devices.processors import available_cpus
from gan_runtime.errors import GanEdgeError, InputError
from gan_trainer.recipes.recipe import Recipe

T = TypeVar("T")


class LostProcess(GanEdgeError):
    """Another process of the run has ended before its time."""


class EndedElsewhere(GanEdgeError):
    """The run has ended with an error that another process reports."""


@dataclass(frozen=True)
class Processes:
    """The place of this process among those of a run.

    Args:
        rank: from 0 to size - 1. The process of rank 0 alone writes, evaluates and prints.
        size: the number of processes.
        local_rank, local_size: the same among the processes of this host.
        control: the group through which processes wait for each other, on the CPU; None for a single process.
    """

    rank: int = 0
    size: int = 1
    local_rank: int = 0
    local_size: int = 1
    control: Any = field(default=None, repr=False, compare=False)

    @property
    def first(self) -> bool:
        """Whether this is the process that writes."""
        return self.rank == 0

    @property
    def alone(self) -> bool:
        """Whether there are no others."""
        return self.size == 1

    @property
    def threads(self) -> int:
        """This process's part of the processors that the processes of this host may use, at least 1."""
        return max(1, available_cpus() // self.local_size)

    def of_first(self, work: Callable[[], T]) -> T:
        """What `work` returns in the first process, which alone does it; the others wait, for days if need be.

        Tensors arrive on the CPU.
        """
        if self.alone:
            return work()
        content = _packed(work()) if self.first else torch.empty(0, dtype=torch.uint8)
        size = torch.tensor([len(content)])
        with connected():
            dist.broadcast(size, 0, group=self.control)
            content = content if self.first else torch.empty(int(size), dtype=torch.uint8)
            dist.broadcast(content, 0, group=self.control)
        found: T = torch.load(io.BytesIO(content.numpy().tobytes()), map_location="cpu", weights_only=False)
        return found

    def in_turn(self, work: Callable[[], T]) -> T:
        """What `work` returns. One process of each host does it first: the others find its files in the cache."""
        if self.alone:
            return work()
        found = [work()] if self.local_rank == 0 else []
        with connected():
            dist.barrier(group=self.control)
        return found[0] if found else work()

    def largest(self, number: int | None) -> int | None:
        """The largest of the numbers that the processes have; None if none has one."""
        if self.alone:
            return number
        largest = torch.tensor([-1 if number is None else number])
        with connected():
            dist.all_reduce(largest, dist.ReduceOp.MAX, group=self.control)
        return None if largest < 0 else int(largest)


ALONE = Processes()


@contextmanager
def connected() -> Iterator[None]:
    """Raise LostProcess if the processes lose each other within the block."""
    try:
        yield
    except RuntimeError as error:  # torch's own errors of connections are subclasses
        raise LostProcess(f"another process of the run has ended ({_reason(error)})") from error


def share_of_batch(recipe: Recipe, processes: Processes) -> int:
    """The images of a batch that each process takes.

    Raises:
        InputError: the batch cannot be divided, or the recipe cannot be trained with batches as small.
    """
    if processes.alone:
        return recipe.batch_size
    share, rest = divmod(recipe.batch_size, processes.size)
    step = recipe.batch_step * processes.size
    if rest:
        below = recipe.batch_size // step * step
        sizes = f"{below} or {below + step}" if below else f"{step}"
        raise InputError(
            f"--batch-size {recipe.batch_size}: {processes.size} processes take equal parts of it; give {sizes}"
        )
    try:
        replace(recipe, batch_size=share)
    except InputError as error:
        raise InputError(
            f"--batch-size {recipe.batch_size}: each of {processes.size} processes takes {share} images, and {error}"
        ) from None
    return share


def seed_of(seed: int, step: int, rank: int) -> int:
    """The seed of the random numbers that the process `rank` draws in a step of a run: 64 bits."""
    return int(np.random.SeedSequence(seed, spawn_key=(step, rank)).generate_state(1, np.uint64)[0])


def _reason(error: RuntimeError) -> str:
    """What Gloo says of a connection, without the place in its code and without its advice."""
    said = re.search(r"gloo/\S+\] (.+?)(?:\. |$)", str(error), re.MULTILINE)
    return said[1] if said else type(error).__name__


def _packed(found: Any) -> torch.Tensor:
    content = io.BytesIO()
    torch.save(found, content)
    return torch.frombuffer(content.getbuffer(), dtype=torch.uint8)
