"""Sample images from exported GAN generators with ONNX Runtime: numpy, pillow and onnxruntime, never torch."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from gan_runtime.errors import DataError, DeviceError, GanEdgeError, InputError, ModelError, OutputError

__version__ = "0.1.0"
__all__ = [
    "DataError",
    "DeviceError",
    "Encoder",
    "GanEdgeError",
    "Generator",
    "InputError",
    "ModelError",
    "OutputError",
    "__version__",
]

if TYPE_CHECKING:
    from gan_runtime.encoder import Encoder
    from gan_runtime.generator import Generator


def __getattr__(name: str) -> Any:
    """Import the classes on first use, so that `--version` and `--help` load nothing."""
    if name in ("Encoder", "Generator"):
        return getattr(import_module(f"gan_runtime.{name.lower()}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
