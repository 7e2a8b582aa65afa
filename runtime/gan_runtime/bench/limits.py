"""The limits of this host: the peak of float32 matrix products, and the bandwidth of its memory.

Both are the best of many short measurements, and not their median: a limit is what the host can do, however busy it
is. Each thread has a product of its own, as each thread has images of its own when a model runs; threads that share a
product wait for each other. NumPy's library of matrix products and ONNX Runtime's are both tried: which one is faster
depends on the processor.
"""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gan_runtime.devices.memory import available_memory
from gan_runtime.onnx_runtime import CPU, create_session, import_onnxruntime
from gan_runtime.threads import Workers

SIDES = (256, 512, 1024)  # of square matrices
METERS = 2 * len(SIDES) + 1  # for each number of threads
COPIED, SHARE = 2**27, 1 / 8  # bytes that are copied, beyond all caches, and what share of the free memory that may be
SECONDS = 0.03  # of one measurement

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


def meters_of(numbers: Iterable[int]) -> dict[int, list[Meter]]:
    """By number of threads: the meters of products, and last that of copies."""
    free = available_memory()
    size = COPIED if free is None else max(1, min(COPIED, int(SHARE * free)))
    source, target = np.ones(size, np.uint8), np.ones(size, np.uint8)
    return {threads: [*product_meters(threads), copy_meter(threads, source, target)] for threads in numbers}


def product_meters(threads: int) -> list[Meter]:
    """Matrix products in so many threads; the peak is the largest rate of them all, in operations per second."""
    session = create_session(import_onnxruntime(), PRODUCT, [CPU], threads=1)
    products: dict[str, Callable[[NDArray[np.float32]], object]] = {
        "NumPy": lambda x: np.matmul(x, x),
        "ONNX Runtime": lambda x: session.run(None, {"x": x}),
    }
    workers, found = Workers(threads), list[Meter]()
    for side in SIDES:
        x = np.random.default_rng(0).random((side, side), np.float32)
        for name, product in products.items():
            call = _in_threads(workers, product, [x] * threads)
            found.append(Meter(f"{name}, {side} x {side}", 2 * threads * side**3, call))
    return found


def copy_meter(threads: int, source: NDArray[np.uint8], target: NDArray[np.uint8]) -> Meter:
    """A copy of an array to another one in so many threads; its rate is in bytes that are read and written."""
    parts = list(zip(*(np.array_split(array, threads) for array in (target, source)), strict=True))
    call = _in_threads(Workers(threads), lambda part: np.copyto(*part), parts)
    return Meter(f"copy of {len(source) / 1e6:.0f} MB", 2 * len(source), call)


def best(meters: Iterable[Meter]) -> Meter:
    """The one of the largest rate."""
    return max(meters, key=lambda meter: meter.rate)


def _in_threads(workers: Workers, function: Callable[..., object], parts: Sequence[Any]) -> Callable[[], object]:
    if len(parts) == 1:
        return lambda: function(parts[0])
    return lambda: workers.map(function, parts)
