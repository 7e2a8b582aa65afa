"""Whether execution providers work here, found out in a child process.

ONNX Runtime does not raise where a provider cannot start: it gives a CPU session, and prints the reason on the
process's own streams, some of it on stdout. A library cannot read those without taking them from its host; the streams
of a child are free. A driver that crashes ends the child alone, too.
"""

import json
import re
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

from gan_runtime.onnx_runtime import WARNING, Providers, create_session, import_onnxruntime, one_line

TIMEOUT_SECONDS = 120.0
CHILD = "import sys; _, wanted, *sys.path = sys.argv; from gan_runtime.devices.trial import main; main(wanted)"
WORKS = "the provider works"
NO_REASON = "ONNX Runtime gave a CPU session without a reason"

# y = x + x for float32 [1], opset 17
MODEL = (
    b'\x08\x08:5\n\x0e\n\x01x\n\x01x\x12\x01y"\x03Add\x12\x01gZ\x0f\n\x01x\x12\n\n\x08\x08\x01\x12\x04\n\x02\x08\x01'
    b"b\x0f\n\x01y\x12\n\n\x08\x08\x01\x12\x04\n\x02\x08\x01B\x04\n\x00\x10\x11"
)
LIBRARIES = r"\b(?:cuda|cudnn|cublas|tensorrt|nvinfer|openvino|provider)"  # a line that names one may be the reason


def why_not(providers: Providers) -> str:
    """Why ONNX Runtime cannot use the first one of `providers`; "" where it can, or where no child can be started.

    Python is started once, with the same sys.path; the answer is kept for as long as this process lives.
    """
    return _why_not(json.dumps(providers))


@cache
def _why_not(wanted: str) -> str:
    if not _is_python():
        return ""
    command = [sys.executable, "-P", "-c", CHILD, wanted, *map(str, sys.path)]
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


def forget() -> None:
    """Forget all answers: after something was installed, or in tests."""
    _why_not.cache_clear()


def main(wanted: str) -> None:
    """What the child does: run a small model on the providers, as a large one would be run."""
    import numpy as np  # noqa: PLC0415

    ort = import_onnxruntime()
    providers = [one if isinstance(one, str) else (one[0], one[1]) for one in json.loads(wanted)]
    name = providers[0] if isinstance(providers[0], str) else providers[0][0]
    preload_libraries(ort)
    try:
        opened = create_session(ort, MODEL, providers, threads=1, log_severity=WARNING)
        opened.run(None, {"x": np.ones(1, np.float32)})
    except Exception as error:  # ONNX Runtime's errors share no base class of their own
        sys.exit(f"{name} fails with error: {one_line(str(error))}")
    if opened.get_providers()[0] == name:
        sys.stdout.write(f"\n{WORKS}\n")


def preload_libraries(ort: Any) -> None:
    """Load NVIDIA's libraries from Python packages, where ONNX Runtime is a build for them."""
    if hasattr(ort, "preload_dlls"):
        ort.preload_dlls()


def _is_python() -> bool:
    """Whether sys.executable is Python: a frozen program, or one that embeds Python, would start itself again."""
    return not getattr(sys, "frozen", False) and Path(sys.executable or "").name.lower().startswith("python")


def _reason(output: str) -> str:
    """The core of what ONNX Runtime prints when a provider cannot start: what failed, and what it requires."""
    core = [re.search(r"with error: (.*)", output), re.search(r"Require cuDNN.*?CUDA [\d.*]+", output)]
    lines = [line for line in output.splitlines() if re.search(LIBRARIES, line, re.IGNORECASE)]
    found = [match[match.lastindex or 0] for match in core if match] or lines
    return one_line("; ".join(found)) or NO_REASON
