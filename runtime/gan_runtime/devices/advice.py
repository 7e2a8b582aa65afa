"""What to do about a device that cannot run a model."""

import re

WAYS_OUT = (  # what a reason of ONNX Runtime, CUDA or cuDNN contains, and what to do about it; the first one counts
    (
        r"libcuda\.so|nvcuda\.dll|CUDA failure (?:100|999)\b|no CUDA-capable device",
        "there is no NVIDIA driver or no GPU here; install the driver, give the container the GPU (--gpus all), or use "
        "--device cpu",
    ),
    (
        r"CUDA failure (?:35|803)\b|driver version is insufficient",
        "install a newer NVIDIA driver, at least 580 for CUDA 13",
    ),
    (r"CUDA failure 101\b|invalid device ordinal", "there is no GPU of this number; nvidia-smi -L lists them"),
    (r"libnvinfer|TensorRT libraries", "install the TensorRT that this ONNX Runtime was built for, or leave it out"),
    (
        r"libcu\w+\.so|libnv\w+\.so|cu\w+\.dll|Require cuDNN|CUDNN_STATUS_\w*VERSION",
        "pip install 'gan-edge[cuda]' brings CUDA's and cuDNN's libraries",
    ),
    (
        r"no kernel image|CUDA failure 209\b",
        "this ONNX Runtime was not built for so old or so new a GPU; use another version of it, or --device cpu",
    ),
    (r"graph capture", "leave out enable_cuda_graph"),
)
MEMORY = r"out of memory|CUDA failure 2:|Failed to allocate memory|\w+_STATUS_ALLOC_FAILED|bad_alloc"


def with_advice(reason: str) -> str:
    """`reason`, and what to do about it, if that is known."""
    known = (advice for pattern, advice in WAYS_OUT if re.search(pattern, reason))
    return "; ".join([reason, *list(known)[:1]])


def failure(device: str, n: int, reason: str) -> str:
    """What is said of a run on n images that failed for a reason of ONNX Runtime: the memory ran out, or another."""
    images = f"{n} image{'s' * (n != 1)}"
    if not re.search(MEMORY, reason, re.IGNORECASE):
        return f"failed on {device} with {images}: {reason}"
    ways_out = ["fewer at a time (--batch-size)"] * (n > 1) + ["smaller tiles (--tile)"]
    ways_out += ["--device cpu"] * (device != "cpu")
    return f"not enough memory on {device} for {images}; use {', or '.join(ways_out)}: {reason}"
