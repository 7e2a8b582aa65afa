"""The limits of this host: the peak of float32 matrix products, and the bandwidth of its memory.

Both are the best of many short measurements, and not their median: a limit is what the host can do, however busy it
is. Each thread has a product of its own, as each thread has images of its own when a model runs; threads that share a
product wait for each other. NumPy's library of matrix products and ONNX Runtime's are both tried: which one is faster
depends on the processor.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gan_runtime.bench.meter import PRODUCT, Meter
from gan_runtime.devices.memory import available_memory
from gan_runtime.onnx_runtime import CPU, create_session, import_onnxruntime
from gan_runtime.threads import Workers

SIDES = (256, 512, 1024)  # of square matrices
METERS = 2 * len(SIDES) + 1  # for each number of threads
COPIED, SHARE = 2**27, 1 / 8  # bytes that are copied, beyond all caches, and what share of the free memory that may be


def meters_of(device: str, numbers: Iterable[int]) -> dict[int, list[Meter]]:
    """By number of threads: the meters of products, and last that of copies. None for devices but CPU and CUDA."""
    if device.startswith("cuda"):
        from gan_runtime.bench.gpu_limits import gpu_meters  # noqa: PLC0415

        return dict.fromkeys(numbers, gpu_meters(int(device.partition(":")[2] or 0)))
    if device != "cpu":
        return {}
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
