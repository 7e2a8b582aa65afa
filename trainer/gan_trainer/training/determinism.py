"""Reproducible training: the random state and settings of torch during a run, restored afterwards."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch


def settle_math_library() -> None:
    """Call the vector math library once, from one thread.

    MKL chooses its code path on first use. If two threads make the first call at the same time, they may use different
    code paths: the first tanh then differs from all later ones by 7e-6 (torch 2.13, 2 cores, in 1 of 16 processes).
    """
    few = torch.full((8,), 0.5)  # few enough elements for a single thread
    for function in (torch.tanh, torch.exp, torch.log, torch.sqrt):
        function(few)


@contextmanager
def number_of_threads(threads: int) -> Iterator[None]:
    """Set the number of threads per operator within the block, and restore it afterwards."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def fast_on_gpu(device: torch.device) -> Iterator[None]:
    """Products in TF32 and the fastest kernels for the shapes of a run within the block, if the device is a GPU."""
    if device.type != "cuda":
        yield
        return
    before = torch.get_float32_matmul_precision(), torch.backends.cudnn.benchmark
    torch.set_float32_matmul_precision("high")
    torch.backends.cudnn.benchmark = True
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before[0])
        torch.backends.cudnn.benchmark = before[1]


@dataclass
class RandomNumbers:
    """The random state of a run: states of torch's default generators, which are installed only within `used`.

    The default generators are used because layers such as dropout draw from no others.
    """

    device: torch.device
    states: dict[str, Any] | None = None  # None: the current states of the default generators

    def current(self) -> dict[str, Any]:
        """The states as a checkpoint records them: "cpu", and "cuda" or None."""
        return self.states or self._read()

    def seed(self, seed: int) -> None:
        """Seed the default generators of the CPU and of the run's device. Call it within `used`."""
        torch.default_generator.manual_seed(seed)
        if self.device.type == "cuda":
            torch.cuda.manual_seed(seed)

    @contextmanager
    def used(self) -> Iterator[None]:
        """Install the random state of the run within the block, and restore the caller's afterwards."""
        callers = self._read()
        if self.states is not None:
            self._write(self.states)
        self.states = None
        try:
            yield
        finally:
            self.states = self._read()
            self._write(callers)

    def restore(self, saved: dict[str, Any]) -> None:
        """Restore recorded states. If a run was started on another device, the state of the current device is kept.

        Raises:
            RuntimeError, TypeError: these are not states of torch's generators.
        """
        with self.used():
            self._write(saved)

    def _read(self) -> dict[str, Any]:
        cuda = torch.cuda.get_rng_state(self.device) if self.device.type == "cuda" else None
        return {"cpu": torch.get_rng_state(), "cuda": cuda}

    def _write(self, states: dict[str, Any]) -> None:
        torch.set_rng_state(states["cpu"])
        if states["cuda"] is not None and self.device.type == "cuda":
            torch.cuda.set_rng_state(states["cuda"], self.device)
