"""Sessions that run on CUDA."""

from types import ModuleType
from typing import Any

from gan_runtime.devices.advice import with_advice
from gan_runtime.devices.bound import BoundSession
from gan_runtime.devices.trial import NO_REASON, preload_libraries, why_not
from gan_runtime.errors import ModelError
from gan_runtime.model_file import ModelFile
from gan_runtime.onnx_runtime import CPU, CUDA, Providers, load_model, one_line

OPTIONS = {
    "cudnn_conv_algo_search": "HEURISTIC",  # the default tries every algorithm for each new shape: seconds
    "use_tf32": "0",  # the pictures of the CPU, not a rounder version of them
}
ON = ("1", "true", "True")


def cuda_providers(gpu: str) -> Providers:
    """CUDA on the GPU of this number; the CPU computes what CUDA cannot."""
    return [(CUDA, OPTIONS | {"device_id": gpu}), CPU]


def open_on_cuda(ort: ModuleType, model: ModelFile, providers: Providers, threads: int) -> tuple[Any | None, str]:
    """A session that really runs on CUDA, or None and the reason. Raises ModelError where the model is at fault."""
    options = next((dict(one[1]) for one in providers if not isinstance(one, str) and one[0] == CUDA), {})
    gpu = str(options.get("device_id", 0))
    reason = why_not(cuda_providers(gpu))
    if reason:
        return None, with_advice(reason)
    try:
        preload_libraries(ort)
        session = load_model(ort, model, providers, threads)
    except ModelError:
        raise
    except Exception as error:  # ONNX Runtime's errors share no base class of their own
        return None, with_advice(one_line(str(error)))
    if CUDA not in session.get_providers():
        return None, NO_REASON
    graphs = str(options.get("enable_cuda_graph", 0)) in ON
    return BoundSession(ort, session, "cuda", int(gpu), graphs=graphs), ""
