"""Modules that are imported while ONNX Runtime makes a session, for which it does not need Python's lock."""

from contextlib import suppress
from importlib import import_module
from threading import Thread

from gan_runtime.devices.processors import available_cpus
from gan_runtime.onnx_runtime import import_onnxruntime


def import_ahead(*modules: str) -> None:
    """Import ONNX Runtime, and then these modules in a thread, if there is a second processor for it.

    Raises:
        DeviceError: ONNX Runtime is not installed.
    """
    import_onnxruntime()
    if available_cpus() > 1:
        Thread(target=_import, args=modules, daemon=True).start()


def _import(*modules: str) -> None:
    with suppress(ImportError):  # raised where they are used
        for module in modules:
            import_module(module)
