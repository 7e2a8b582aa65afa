"""Repeatable training: random state and settings of torch for the duration of a run, restored after it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch


def settle_math_library() -> None:
    """Call the vector math library once, from one thread.

    MKL chooses its code path on first use. Two threads that get there together may take different ones: a first
    tanh then differs from all later ones by 7e-6 (torch 2.13 on two cores; measured in one process of sixteen).
    """
    few = torch.full((8,), 0.5)  # too few elements to be shared between threads
    for function in (torch.tanh, torch.exp, torch.log, torch.sqrt):
        function(few)


@contextmanager
def number_of_threads(threads: int) -> Iterator[None]:
    """Within the block, torch computes an operator with so many threads; after it, with as many as before."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@dataclass
class RandomNumbers:
    """The random numbers of a run: states of torch's default generators, which are the caller's outside of `used`.

    Layers such as dropout draw from the default generators and from no others.
    """

    device: torch.device
    states: dict[str, Any] | None = None  # None: those of the default generators, as they stand

    def current(self) -> dict[str, Any]:
        """The states as a checkpoint records them: "cpu", and "cuda" or None."""
        return self.states or self._read()

    def seed(self, seed: int) -> None:
        """Seed the default generators of the CPU and of the run's device. To be called within `used`."""
        torch.default_generator.manual_seed(seed)
        if self.device.type == "cuda":
            torch.cuda.manual_seed(seed)

    @contextmanager
    def used(self) -> Iterator[None]:
        """Within the block, torch draws the numbers of the run; after it, the caller's go on where they were."""
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
        """Go back to recorded states. A run that began on another device keeps what it has for this one.

        Raises:
            RuntimeError, TypeError: they are no states of torch's generators.
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
