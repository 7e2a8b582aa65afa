"""Open a model on a device, or say in ONNX Runtime's own words why not."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any, TypeAlias

from gan_runtime.errors import DeviceError, InputError, ModelError
from gan_runtime.model_file import ModelFile
from gan_runtime.threads import available_cpus

WARNING, FATAL = 2, 4  # of ONNX Runtime's log severities
DEVICES = ("auto", "cpu", "cuda")
MAX_THREADS = 1024

CUDA, CPU = "CUDAExecutionProvider", "CPUExecutionProvider"
SHORT = {CUDA: "cuda", CPU: "cpu"}
Providers: TypeAlias = Sequence[str | tuple[str, Mapping[str, Any]]]
CUDA_OPTIONS = {
    "cudnn_conv_algo_search": "HEURISTIC",  # the default tries every algorithm for each new shape: seconds
    "use_tf32": "0",  # the pictures of the CPU, not a rounder version of them
}


@dataclass
class Session:
    """A model that is ready to run.

    `device` is "cpu", "cuda", "cuda:1", or the name of another execution provider. `reason` says why it was chosen
    where the choice was left open. `onnx` is ONNX Runtime's session; None once it is closed.
    """

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


def open_session(
    model: ModelFile, device: str = "auto", threads: int | None = None, providers: Providers | None = None
) -> Session:
    """Load `model` on `device`.

    Args:
        model: read by `read_model_file`; external data is refused before ONNX Runtime sees the bytes.
        device: "cpu", "cuda", "cuda:1" for one of several GPUs, or "auto" for CUDA where it works and CPU elsewhere.
        threads: of one operator; all processors that this process may use if None.
        providers: execution providers in place of `device`, as ONNX Runtime takes them: names or (name, options).

    Raises:
        ModelError: the model has external data, or ONNX Runtime cannot load it.
        DeviceError: CUDA or a provider was asked for and cannot run the model.
        InputError: unknown device, both device and providers, or a number of threads out of range.
    """
    gpu = _gpu(device)
    check_threads(threads)
    if model.external_data:
        raise ModelError(
            f"{model.path}: refers to data in other files, which may be anywhere on this host; "
            "make it one file, with external_data=False of torch.onnx.export, or onnx.save(onnx.load(path), path)"
        )
    threads = threads or available_cpus()
    if providers is not None:
        return _open_on(providers, model, device, threads)
    ort = import_onnxruntime()
    if device == "cpu":
        return Session(_create(ort, model, [CPU], threads), "cpu", threads, "")
    session, reason = _create_cuda(ort, model, cuda_providers(gpu), threads)
    if session is not None:
        return Session(session, "cuda" if device == "auto" else device, threads, "CUDA works here")
    if device != "auto":
        raise DeviceError(f"device {device}: cannot be used: {reason}")
    return Session(_create(ort, model, [CPU], threads), "cpu", threads, reason)


def run_session(model: ModelFile, session: Session, outputs: list[str], feeds: dict[str, Any], n: int) -> list[Any]:
    """The `outputs` of one run on n images.

    Raises:
        DeviceError: the device fails.
        InputError: the session is closed.
    """
    onnx = session.onnx
    if onnx is None:
        raise InputError(f"{model.path}: the model is closed; load it again")
    try:
        return onnx.run(outputs, feeds)  # type: ignore[no-any-return]
    except Exception as error:  # ONNX Runtime derives straight from Exception
        reason = one_line(str(error))
        raise DeviceError(
            f"{model.path}: failed on {session.device} with {n} image{'s' * (n != 1)}: {reason}"
        ) from None


def cuda_providers(gpu: str) -> Providers:
    """CUDA on the GPU of this number; the CPU computes what CUDA cannot."""
    return [(CUDA, CUDA_OPTIONS | {"device_id": gpu}), CPU]


def _gpu(device: str) -> str:
    """The number of the GPU that a device names, "0" where it names none. Raises InputError for an unknown device."""
    numbered = re.fullmatch(r"cuda:(\d{1,3})", device, re.ASCII)
    if device not in DEVICES and not numbered:
        raise InputError(f"device {device!r}: choose one of {', '.join(DEVICES)}, or cuda:1 for the second GPU")
    return str(int(numbered[1])) if numbered else "0"


def _open_on(providers: Providers, model: ModelFile, device: str, threads: int) -> Session:
    """A session on the execution providers that were asked for, on all of them."""
    if device != "auto":
        raise InputError(f"device {device!r} and providers: both say where to run; leave one of the two out")
    ort = import_onnxruntime()
    names = [one[0] if isinstance(one, tuple) and one else one for one in providers]
    if isinstance(providers, str) or not names or not all(isinstance(name, str) for name in names):
        raise InputError(f"providers {providers!r}: must be a list of names, or of pairs (name, options)")
    here = ort.get_available_providers()
    for name in names:
        if name not in here:
            raise DeviceError(f"provider {name!r}: this ONNX Runtime {ort.__version__} has {', '.join(here)}")
    if CUDA in names:
        session, reason = _create_cuda(ort, model, list(providers), threads)
    else:
        session, reason = _create(ort, model, list(providers), threads), ""
    if session is None or session.get_providers()[0] != names[0]:
        raise DeviceError(f"provider {names[0]!r}: cannot be used: {reason or 'ONNX Runtime gave another one'}")
    return Session(session, SHORT.get(names[0], names[0]), threads, "providers were given")


def check_threads(threads: int | None) -> None:
    """Raise InputError where a number of threads makes no sense."""
    if threads is not None and not 1 <= threads <= MAX_THREADS:
        raise InputError(f"threads {threads}: must be between 1 and {MAX_THREADS}")


def _create_cuda(ort: ModuleType, model: ModelFile, providers: Providers, threads: int) -> tuple[Any | None, str]:
    """A session that really runs on CUDA, or None and the reason."""
    if CUDA not in ort.get_available_providers():
        return None, f"this ONNX Runtime {ort.__version__} was built without CUDA (gan-edge[cuda] has it)"
    from gan_runtime.devices.cuda import NO_REASON, why_not_cuda  # noqa: PLC0415  (only builds with CUDA pay for it)

    options = next((dict(one[1]) for one in providers if not isinstance(one, str) and one[0] == CUDA), {})
    reason = why_not_cuda(str(options.get("device_id", 0)))
    if reason:
        return None, reason
    try:
        if hasattr(ort, "preload_dlls"):
            ort.preload_dlls()
        session = _create(ort, model, providers, threads)
    except ModelError:
        raise
    except Exception as error:  # ONNX Runtime's errors share no base class of their own
        return None, one_line(str(error))
    return (session, "") if CUDA in session.get_providers() else (None, NO_REASON)


def _create(ort: ModuleType, model: ModelFile, providers: Providers, threads: int) -> Any:
    if not model.content:
        raise ModelError(f"{model.path}: this is the description of an open model, without its bytes; read it again")
    try:
        return create_session(ort, model.content, providers, threads)
    except Exception as error:  # derived straight from Exception, whatever is wrong
        if providers != [CPU] and re.search(r"cuda|cudnn|cublas", str(error), re.IGNORECASE):
            raise
        reason = one_line(str(error)) + _way_out(str(error))
        raise ModelError(f"{model.path}: ONNX Runtime {ort.__version__} cannot load it: {reason}") from None


def create_session(
    ort: ModuleType, content: bytes, providers: Providers, threads: int, log_severity: int = FATAL
) -> Any:
    """ONNX Runtime's own session, or whatever it raises. It prints nothing, since all errors come as exceptions."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = log_severity
    options.add_session_config_entry("session.load_model_format", "ONNX")  # the only format that is checked
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # idle threads must cost nothing
    options.add_session_config_entry("session.set_denormal_as_zero", "1")
    session = ort.InferenceSession(content, options, providers=providers, enable_fallback=0)  # which prints on stdout
    session._model_bytes = None  # kept for a fallback that is off: the weights would be in memory twice
    return session


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
