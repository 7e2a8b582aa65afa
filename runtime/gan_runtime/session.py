"""Open a model on a device, or say in ONNX Runtime's own words why not."""

import re
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from gan_runtime.errors import DeviceError, InputError, ModelError
from gan_runtime.model_file import ModelFile
from gan_runtime.threads import available_cpus

WARNING, FATAL = 2, 4  # of ONNX Runtime's log severities
DEVICES = ("auto", "cpu", "cuda")
MAX_THREADS = 1024

CUDA, CPU = "CUDAExecutionProvider", "CPUExecutionProvider"
CUDA_OPTIONS = {
    "cudnn_conv_algo_search": "HEURISTIC",  # the default tries every algorithm for each new shape: seconds
    "use_tf32": "0",  # the pictures of the CPU, not a rounder version of them
}


@dataclass(frozen=True)
class Session:
    """A model that is ready to run. `reason` says why `device` was chosen when the choice was left to us."""

    onnx: Any
    device: str
    threads: int
    reason: str


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


def open_session(model: ModelFile, device: str = "auto", threads: int | None = None) -> Session:
    """Load `model` on `device`.

    Args:
        model: read by `read_model_file`; external data is refused before ONNX Runtime sees the bytes.
        device: "cpu", "cuda", or "auto" for CUDA where it works and CPU elsewhere.
        threads: of one operator; all processors that this process may use if None.

    Raises:
        ModelError: the model has external data, or ONNX Runtime cannot load it.
        DeviceError: CUDA was asked for and cannot run the model.
        InputError: unknown device, or a number of threads out of range.
    """
    if device not in DEVICES:
        raise InputError(f"device {device!r}: choose one of {', '.join(DEVICES)}")
    check_threads(threads)
    if model.external_data:
        raise ModelError(
            f"{model.path}: refers to data in other files, which may be anywhere on this host; "
            "make it one file, with external_data=False of torch.onnx.export, or onnx.save(onnx.load(path), path)"
        )
    threads = threads or available_cpus()
    ort = import_onnxruntime()
    if device == "cpu":
        return Session(_create(ort, model, CPU, threads), "cpu", threads, "")
    session, reason = _create_cuda(ort, model, threads)
    if session is not None:
        return Session(session, "cuda", threads, "CUDA works here")
    if device == "cuda":
        raise DeviceError(f"device cuda: cannot be used: {reason}")
    return Session(_create(ort, model, CPU, threads), "cpu", threads, reason)


def run_session(model: ModelFile, session: Session, outputs: list[str], feeds: dict[str, Any], n: int) -> list[Any]:
    """The `outputs` of one run on n images. Raises DeviceError, in one line, where the device fails."""
    try:
        return session.onnx.run(outputs, feeds)  # type: ignore[no-any-return]
    except Exception as error:  # ONNX Runtime derives straight from Exception
        reason = one_line(str(error))
        raise DeviceError(
            f"{model.path}: failed on {session.device} with {n} image{'s' * (n != 1)}: {reason}"
        ) from None


def check_threads(threads: int | None) -> None:
    """Raise InputError where a number of threads makes no sense."""
    if threads is not None and not 1 <= threads <= MAX_THREADS:
        raise InputError(f"threads {threads}: must be between 1 and {MAX_THREADS}")


def _create_cuda(ort: ModuleType, model: ModelFile, threads: int) -> tuple[Any | None, str]:
    """A session that really runs on CUDA, or None and the reason."""
    if CUDA not in ort.get_available_providers():
        return None, f"this ONNX Runtime {ort.__version__} was built without CUDA (gan-edge[cuda] has it)"
    from gan_runtime.devices.cuda import NO_REASON, why_not_cuda  # noqa: PLC0415  (only builds with CUDA pay for it)

    reason = why_not_cuda()
    if reason:
        return None, reason
    try:
        if hasattr(ort, "preload_dlls"):
            ort.preload_dlls()
        session = _create(ort, model, CUDA, threads)
    except ModelError:
        raise
    except Exception as error:  # ONNX Runtime's errors share no base class of their own
        return None, one_line(str(error))
    return (session, "") if session.get_providers()[0] == CUDA else (None, NO_REASON)


def _create(ort: ModuleType, model: ModelFile, provider: str, threads: int) -> Any:
    try:
        return create_session(ort, model.content, provider, threads)
    except Exception as error:  # derived straight from Exception, whatever is wrong
        if provider == CUDA and re.search(r"cuda|cudnn|cublas", str(error), re.IGNORECASE):
            raise
        reason = one_line(str(error)) + _way_out(str(error))
        raise ModelError(f"{model.path}: ONNX Runtime {ort.__version__} cannot load it: {reason}") from None


def create_session(ort: ModuleType, content: bytes, provider: str, threads: int, log_severity: int = FATAL) -> Any:
    """ONNX Runtime's own session, or whatever it raises. It prints nothing, since all errors come as exceptions."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = log_severity
    options.add_session_config_entry("session.load_model_format", "ONNX")  # the only format that is checked
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # idle threads must cost nothing
    options.add_session_config_entry("session.set_denormal_as_zero", "1")
    providers: list[Any] = [(CUDA, CUDA_OPTIONS), CPU] if provider == CUDA else [CPU]
    return ort.InferenceSession(content, options, providers=providers, enable_fallback=0)  # which prints on stdout


def _way_out(message: str) -> str:
    if re.search(r"IR version|opset", message):
        return "; upgrade ONNX Runtime on this host, or export the model again with a lower --opset"
    return ""


def one_line(message: str) -> str:
    """A message of ONNX Runtime without colours, time stamps, source positions and C++ signatures."""
    message = re.sub(r"\x1b\[[0-9;]*m", "", message)
    message = re.sub(r"\d{4}-\d\d-\d\d [\d:.]+ \[[A-Z]:[^\]]*\]\s*", "", message)
    message = re.sub(r"^\[ONNXRuntimeError\] : \d+ : \w+ : ", "", message.strip())
    message = re.sub(r"^Load model from .*? failed:", "", message)
    signature = r"(?:\S+ )?onnxruntime::\S+?\([^()]*\) "
    message = re.sub(rf"\S*/onnxruntime/\S+:\d+ (?:{signature}|\S+ )?", "", message)
    return " ".join(message.split()).rstrip(".")
