"""Sessions on execution providers of ONNX Runtime that the caller names."""

from types import ModuleType
from typing import Any

from gan_runtime.errors import DeviceError, InputError
from gan_runtime.model_file import ModelFile
from gan_runtime.onnx_runtime import CPU, CUDA, Providers, load_model

SHORT = {CUDA: "cuda", CPU: "cpu"}


def open_on(ort: ModuleType, model: ModelFile, providers: Providers, threads: int) -> tuple[Any, str]:
    """A session on all of `providers`, and the name of the first one as a device.

    Raises:
        InputError: `providers` is not a list of names, or of pairs (name, options).
        DeviceError: ONNX Runtime does not have one of them, or the first one cannot run the model.
        ModelError: ONNX Runtime cannot load the model.
    """
    names = [one[0] if isinstance(one, tuple) and one else one for one in providers]
    if isinstance(providers, str) or not names or not all(isinstance(name, str) for name in names):
        raise InputError(f"providers {providers!r}: must be a list of names, or of pairs (name, options)")
    here = ort.get_available_providers()
    for name in names:
        if name not in here:
            raise DeviceError(f"provider {name!r}: this ONNX Runtime {ort.__version__} has {', '.join(here)}")
    if CUDA in names:
        from gan_runtime.devices.cuda import open_on_cuda  # noqa: PLC0415

        session, reason = open_on_cuda(ort, model, list(providers), threads)
    else:
        session, reason = load_model(ort, model, list(providers), threads), ""
    if session is None or session.get_providers()[0] != names[0]:
        raise DeviceError(f"provider {names[0]!r}: cannot be used: {reason or 'ONNX Runtime gave another one'}")
    return session, SHORT.get(names[0], names[0])
