"""ONNX Runtime itself: its import, its sessions and its messages."""

import re
from collections.abc import Mapping, Sequence
from types import ModuleType
from typing import Any, TypeAlias

from gan_runtime.errors import DeviceError, ModelError
from gan_runtime.model_file import ModelFile

WARNING, FATAL = 2, 4  # of ONNX Runtime's log severities
CUDA, CPU = "CUDAExecutionProvider", "CPUExecutionProvider"
Providers: TypeAlias = Sequence[str | tuple[str, Mapping[str, Any]]]


def import_onnxruntime() -> ModuleType:
    """ONNX Runtime. Its telemetry is left as the program's environment has it; gan-edge's own commands turn it off.

    Raises:
        DeviceError: it is not installed.
    """
    try:
        import onnxruntime  # noqa: PLC0415
    except ImportError as error:
        raise DeviceError(
            f"ONNX Runtime cannot be imported ({error}); install it with pip install 'gan-edge[cpu]', "
            "or 'gan-edge[cuda]' for NVIDIA GPUs"
        ) from None
    if not hasattr(onnxruntime, "InferenceSession"):
        raise DeviceError("ONNX Runtime is damaged; see gan-info --doctor")
    return onnxruntime  # type: ignore[no-any-return]


def load_model(ort: ModuleType, model: ModelFile, providers: Providers, threads: int) -> Any:
    """A session for `model`. Raises ModelError, or ONNX Runtime's own exception where CUDA fails."""
    if not model.content:
        raise ModelError(f"{model.path}: this is the description of an open model, without its bytes; read it again")
    try:
        return create_session(ort, model.content, providers, threads)
    except Exception as error:  # derived straight from Exception, whatever is wrong
        if providers != [CPU] and re.search(r"cuda|cudnn|cublas", str(error), re.IGNORECASE):
            raise
        reason = one_line(str(error))
        if re.search(r"IR version|opset", str(error)):
            reason += "; upgrade ONNX Runtime on this host, or export the model again with a lower --opset"
        raise ModelError(f"{model.path}: ONNX Runtime {ort.__version__} cannot load it: {reason}") from None


def create_session(
    ort: ModuleType, content: bytes, providers: Providers, threads: int, log_severity: int = FATAL
) -> Any:
    """ONNX Runtime's own session, or whatever it raises. It prints nothing, since all errors come as exceptions."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = log_severity
    options.enable_mem_pattern = False  # a second plan for the same memory, which doubles it and is not faster
    options.add_session_config_entry("session.load_model_format", "ONNX")  # the only format that is checked
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # idle threads must cost nothing
    options.add_session_config_entry("session.set_denormal_as_zero", "1")
    session = ort.InferenceSession(content, options, providers=providers, enable_fallback=0)  # which prints on stdout
    session._model_bytes = None  # kept for a fallback that is off: the weights would be in memory twice
    return session


def one_line(message: str) -> str:
    """A message of ONNX Runtime without colours, time stamps, source positions and C++ signatures."""
    message = re.sub(r"\x1b\[[0-9;]*m", "", message)
    message = re.sub(r"\d{4}-\d\d-\d\d [\d:.]+ \[[A-Z]:[^\]]*\]\s*", "", message)
    message = re.sub(r"^\[ONNXRuntimeError\] : \d+ : \w+ : ", "", message.strip())
    message = re.sub(r"^Load model from .*? failed:", "", message)
    signature = r"(?:\S+ )?onnxruntime::\S+?\([^()]*\) "
    message = re.sub(rf"\S*/onnxruntime/\S+:\d+ (?:{signature}|\S+ )?", "", message)
    return " ".join(message.split()).rstrip(".")
