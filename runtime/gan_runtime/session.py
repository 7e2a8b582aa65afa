"""Open a model on a device, or say in ONNX Runtime's own words why not."""

import re
from dataclasses import dataclass
from typing import Any

from gan_runtime.devices.memory import available_memory, check_memory
from gan_runtime.devices.processors import available_cpus
from gan_runtime.errors import DeviceError, InputError, ModelError
from gan_runtime.model_file import ModelFile
from gan_runtime.onnx_runtime import CPU, CUDA, Providers, import_onnxruntime, load_model, one_line

DEVICE = r"auto|cpu|cuda(?::0*(\d{1,3}))?"  # with the number of a GPU; anything else names execution providers
MAX_THREADS = 1024
LARGE, OPENING = 2**26, 2.2  # bytes of a file; how many times as many ONNX Runtime needs meanwhile, beside the file


@dataclass
class Session:
    """A model that is ready to run.

    `device` is "cpu", "cuda", "cuda:1", or the name of another execution provider. `reason` says why it was chosen
    where the choice was left open. `onnx` is ONNX Runtime's session, or one that runs alike (`devices/bound.py`); None
    once it is closed.
    """

    onnx: Any
    device: str
    threads: int
    reason: str


def open_session(
    model: ModelFile, device: str = "auto", threads: int | None = None, providers: Providers | None = None
) -> Session:
    """Load `model` on `device`, or on `providers` in its place; see `gan_runtime.load`.

    `threads` are those of one operator; all processors that this process may use if None.

    Raises:
        ModelError: the model has external data, or ONNX Runtime cannot load it.
        DeviceError: CUDA or a provider was asked for and cannot run the model, or there is too little memory.
        InputError: unknown device or provider, both device and providers, or a number of threads out of range.
    """
    check_threads(threads)
    if model.external_data:  # refused before ONNX Runtime sees the bytes
        raise ModelError(
            f"{model.path}: refers to data in other files, which may be anywhere on this host; "
            "make it one file, with external_data=False of torch.onnx.export, or onnx.save(onnx.load(path), path)"
        )
    if model.size > LARGE:
        check_memory(f"{model.path}: opening it", OPENING * model.size, available_memory())
    threads = threads or available_cpus()
    if providers is not None and device != "auto":
        raise InputError(f"device {device!r} and providers: both say where to run; leave one of the two out")
    ort, is_device = import_onnxruntime(), re.fullmatch(DEVICE, device, re.ASCII)
    if providers is not None or not is_device:
        from gan_runtime.devices.providers import open_on, parse_providers  # noqa: PLC0415

        chosen = parse_providers(ort, device) if providers is None else providers
        return Session(*open_on(ort, model, chosen, threads), threads, "providers were given")
    if device == "cpu":
        return Session(load_model(ort, model, [CPU], threads), "cpu", threads, "")
    reason = f"this ONNX Runtime {ort.__version__} was built without CUDA (gan-edge[cuda] has it)"
    if CUDA in ort.get_available_providers():
        from gan_runtime.devices.cuda import cuda_providers, open_on_cuda  # noqa: PLC0415  (only such builds need it)

        session, reason = open_on_cuda(ort, model, cuda_providers(is_device[1] or "0"), threads)
        if session is not None:
            return Session(session, "cuda" if device == "auto" else device, threads, "CUDA works here")
    if device != "auto":
        raise DeviceError(f"device {device}: cannot be used: {reason}")
    return Session(load_model(ort, model, [CPU], threads), "cpu", threads, reason)


def run_session(model: ModelFile, session: Session, outputs: list[str], feeds: dict[str, Any], n: int) -> list[Any]:
    """The `outputs` of one run on n images. Raises DeviceError if the device fails, InputError if it is closed."""
    onnx = session.onnx
    if onnx is None:
        raise InputError(f"{model.path}: the model is closed; load it again")
    try:
        return onnx.run(outputs, feeds)  # type: ignore[no-any-return]
    except Exception as error:  # ONNX Runtime derives straight from Exception
        from gan_runtime.devices.advice import failure  # noqa: PLC0415

        raise DeviceError(f"{model.path}: {failure(session.device, n, one_line(str(error)))}") from None


def check_threads(threads: int | None) -> None:
    """Raise InputError where a number of threads makes no sense."""
    if threads is not None and not 1 <= threads <= MAX_THREADS:
        raise InputError(f"threads {threads}: must be between 1 and {MAX_THREADS}")
