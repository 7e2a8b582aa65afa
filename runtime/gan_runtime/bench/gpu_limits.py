"""The limits of an NVIDIA GPU: the peak of float32 matrix products, and the bandwidth of its memory.

Inputs and outputs stay in the memory of the GPU, and products have the options of `--device cuda` (no TF32).
"""

import numpy as np

from gan_runtime.bench.meter import PRODUCT, Meter
from gan_runtime.devices.cuda import cuda_providers
from gan_runtime.onnx_runtime import CPU, Providers, create_session, import_onnxruntime

SIDES, SUMMED = (1024, 4096), 8192  # of square matrices that are multiplied, and of one that is read and written

# y = x + x for float32 x [n, n], opset 17
SUM = (
    b'\x08\x08:A\n\x0e\n\x01x\n\x01x\x12\x01y"\x03Add\x12\x01gZ\x15\n\x01x\x12\x10\n\x0e\x08\x01\x12\n\n\x03\x12\x01n'
    b"\n\x03\x12\x01nb\x15\n\x01y\x12\x10\n\x0e\x08\x01\x12\n\n\x03\x12\x01n\n\x03\x12\x01nB\x04\n\x00\x10\x11"
)


def gpu_meters(gpu: int, device: str = "cuda") -> list[Meter]:
    """The meters of products on this GPU, and last that of a sum; `device` is "cpu" in tests."""
    providers = cuda_providers(str(gpu)) if device == "cuda" else [CPU]
    products = [_meter(PRODUCT, side, 2 * side**3, "product", providers, device, gpu) for side in SIDES]
    return [*products, _meter(SUM, SUMMED, 2 * 4 * SUMMED**2, "sum", providers, device, gpu)]


def _meter(graph: bytes, side: int, work: float, name: str, providers: Providers, device: str, gpu: int) -> Meter:
    ort = import_onnxruntime()
    session = create_session(ort, graph, providers, threads=1)
    binding = session.io_binding()
    x = np.random.default_rng(0).random((side, side), np.float32)
    binding.bind_ortvalue_input("x", ort.OrtValue.ortvalue_from_numpy(x, device, gpu))
    binding.bind_output("y", device, gpu)
    session.run_with_iobinding(binding)  # allocates the output
    return Meter(f"ONNX Runtime, {name} of {side} x {side}", work, lambda: session.run_with_iobinding(binding))
