"""Measure the largest rate of a call, the best of many."""

import time
from collections.abc import Callable
from dataclasses import dataclass

SECONDS = 0.1  # of one measurement: Linux may take 30 ms to give two threads a processor each

# y = x @ x for float32 x [n, n], opset 17
PRODUCT = (
    b'\x08\x08:D\n\x11\n\x01x\n\x01x\x12\x01y"\x06MatMul\x12\x01gZ\x15\n\x01x\x12\x10\n\x0e\x08\x01\x12\n\n\x03\x12'
    b"\x01n\n\x03\x12\x01nb\x15\n\x01y\x12\x10\n\x0e\x08\x01\x12\n\n\x03\x12\x01n\n\x03\x12\x01nB\x04\n\x00\x10\x11"
)


@dataclass
class Meter:
    """The least seconds of a call, each time that `measure` is called and so far.

    Attributes:
        name: what is called, for people.
        work: of one call: floating-point operations, or bytes that are read and written.
        call: the work of all threads.
    """

    name: str
    work: float
    call: Callable[[], object]
    best: float = float("inf")

    def measure(self) -> None:
        """Call it for a short time, at least once."""
        end = time.perf_counter() + SECONDS
        while True:
            began = time.perf_counter()
            self.call()
            now = time.perf_counter()
            self.best = min(self.best, now - began)
            if now >= end:
                return

    @property
    def rate(self) -> float:
        """The most work per second."""
        return self.work / self.best
