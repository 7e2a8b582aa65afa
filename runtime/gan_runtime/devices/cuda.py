"""Whether CUDA works here, found out in a child process.

ONNX Runtime does not raise where its CUDA provider cannot start: it gives a CPU session, and prints the reason on the
process's own streams, some of it on stdout. A library cannot read those without taking them from its host; the streams
of a child are free. A driver that crashes ends the child alone, too.
"""

import re
import subprocess
import sys
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

from gan_runtime.errors import ModelError
from gan_runtime.model_file import ModelFile
from gan_runtime.onnx_runtime import (
    CPU,
    CUDA,
    WARNING,
    Providers,
    create_session,
    import_onnxruntime,
    load_model,
    one_line,
)

TIMEOUT_SECONDS = 120.0
CHILD = "import sys; _, gpu, *sys.path = sys.argv; from gan_runtime.devices.cuda import main; main(gpu)"
WORKS = "CUDA works"
NO_REASON = "ONNX Runtime gave a CPU session without a reason"

OPTIONS = {
    "cudnn_conv_algo_search": "HEURISTIC",  # the default tries every algorithm for each new shape: seconds
    "use_tf32": "0",  # the pictures of the CPU, not a rounder version of them
}

# y = x + x for float32 [1], opset 17
MODEL = (
    b'\x08\x08:5\n\x0e\n\x01x\n\x01x\x12\x01y"\x03Add\x12\x01gZ\x0f\n\x01x\x12\n\n\x08\x08\x01\x12\x04\n\x02\x08\x01'
    b"b\x0f\n\x01y\x12\n\n\x08\x08\x01\x12\x04\n\x02\x08\x01B\x04\n\x00\x10\x11"
)


def cuda_providers(gpu: str) -> Providers:
    """CUDA on the GPU of this number; the CPU computes what CUDA cannot."""
    return [(CUDA, OPTIONS | {"device_id": gpu}), CPU]


def open_on_cuda(ort: ModuleType, model: ModelFile, providers: Providers, threads: int) -> tuple[Any | None, str]:
    """A session that really runs on CUDA, or None and the reason. Raises ModelError where the model is at fault."""
    options = next((dict(one[1]) for one in providers if not isinstance(one, str) and one[0] == CUDA), {})
    reason = why_not_cuda(str(options.get("device_id", 0)))
    if reason:
        return None, reason
    try:
        if hasattr(ort, "preload_dlls"):
            ort.preload_dlls()
        session = load_model(ort, model, providers, threads)
    except ModelError:
        raise
    except Exception as error:  # ONNX Runtime's errors share no base class of their own
        return None, one_line(str(error))
    return (session, "") if CUDA in session.get_providers() else (None, NO_REASON)


@cache
def why_not_cuda(gpu: str = "0") -> str:
    """Why ONNX Runtime cannot use CUDA on this GPU; "" where it can, and where no child can be started to find out.

    Python is started once, with the same sys.path; the answer is kept for as long as this process lives.
    """
    if not _is_python():
        return ""
    command = [sys.executable, "-P", "-c", CHILD, gpu, *map(str, sys.path)]
    pipes: dict[str, Any] = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    try:
        done = subprocess.run(command, **pipes, timeout=TIMEOUT_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        return f"it did not start within {TIMEOUT_SECONDS:g} seconds"
    except OSError:
        return ""
    if done.returncode < 0:
        return f"a trial of it was ended by signal {-done.returncode}"
    output = done.stdout.decode(errors="replace")
    return "" if output.rstrip().endswith(WORKS) else _reason(output)


def main(gpu: str) -> None:
    """What the child does: run a small model on CUDA, as `open_on_cuda` would run a large one."""
    import numpy as np  # noqa: PLC0415

    ort = import_onnxruntime()
    if hasattr(ort, "preload_dlls"):
        ort.preload_dlls()
    try:
        opened = create_session(ort, MODEL, cuda_providers(gpu), threads=1, log_severity=WARNING)
        opened.run(None, {"x": np.ones(1, np.float32)})
    except Exception as error:  # ONNX Runtime's errors share no base class of their own
        sys.exit(f"CUDA fails with error: {one_line(str(error))}")
    if opened.get_providers()[0] == CUDA:
        sys.stdout.write(f"\n{WORKS}\n")


def _is_python() -> bool:
    """Whether sys.executable is Python: a frozen program, or one that embeds Python, would start itself again."""
    return not getattr(sys, "frozen", False) and Path(sys.executable or "").name.lower().startswith("python")


def _reason(output: str) -> str:
    """The core of what ONNX Runtime prints when its CUDA provider cannot start: what failed, and what it requires."""
    core = [re.search(r"with error: (.*)", output), re.search(r"Require cuDNN.*?CUDA [\d.*]+", output)]
    lines = [line for line in output.splitlines() if re.search(r"\b(cuda|cudnn|cublas)", line, re.IGNORECASE)]
    found = [match[match.lastindex or 0] for match in core if match] or lines
    return one_line("; ".join(found)) or NO_REASON
