"""Joining the processes that torchrun has started."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from torch.distributed.rendezvous import rendezvous

from gan_runtime.errors import DeviceError, GanEdgeError
from gan_trainer.training.distributed.launch import launched
from gan_trainer.training.distributed.processes import ALONE, EndedElsewhere, Processes, connected

PATIENCE = timedelta(days=30)  # for what the first process does alone; one that has died is noticed at once
REPORTED = "reported"  # a counter in the store of torchrun


@contextmanager
def joined() -> Iterator[Processes]:
    """Join the other processes that torchrun has started, for the block; `ALONE` if there are none.

    Tensors on GPUs are exchanged by NCCL, those on the CPU by Gloo. If errors end the block in several processes, one
    of them raises its own, and the others raise EndedElsewhere.
    """
    if not launched():
        yield ALONE
        return
    store, rank, size = next(iter(rendezvous("env://")))
    try:
        yield _join(store, rank, size)
    except EndedElsewhere:
        raise
    except Exception as error:
        if not _reports(store) and isinstance(error, GanEdgeError):
            raise EndedElsewhere("another process reports the error") from error
        raise
    dist.destroy_process_group()


def check_gpus(processes: Processes) -> None:
    """Raise DeviceError unless each process of this host has a GPU of its own."""
    gpus = torch.cuda.device_count()
    if processes.local_size > gpus:
        raise DeviceError(
            f"{processes.local_size} processes on this host, and {gpus} GPU{'' if gpus == 1 else 's'}: start one per "
            f"GPU (--nproc-per-node {gpus}), or give --device cpu"
        )


def _join(store: Any, rank: int, size: int) -> Processes:
    local_rank, local_size = (int(os.environ[name]) for name in ("LOCAL_RANK", "LOCAL_WORLD_SIZE"))
    cuda = torch.cuda.is_available() and dist.is_nccl_available()
    if cuda and local_rank < torch.cuda.device_count():
        torch.cuda.set_device(local_rank)
    with connected():
        dist.init_process_group("cpu:gloo,cuda:nccl" if cuda else "gloo", store=store, rank=rank, world_size=size)
        control = dist.new_group(backend="gloo", timeout=PATIENCE)
    return Processes(rank, size, local_rank, local_size, control)


def _reports(store: Any) -> bool:
    """Whether this process is the first one with an error."""
    try:
        return bool(store.add(REPORTED, 1) == 1)
    except RuntimeError:  # torchrun, which keeps the store, is no more there
        return True
