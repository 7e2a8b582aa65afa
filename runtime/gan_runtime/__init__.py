"""Sample images from exported GAN generators with ONNX Runtime: numpy, pillow and onnxruntime, never torch."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from gan_runtime.errors import (
    DataError,
    DeviceError,
    GanEdgeError,
    IncompleteError,
    InputError,
    ModelError,
    OutputError,
)

__version__ = "0.1.0"
__all__ = [
    "DataError",
    "DeviceError",
    "Encoder",
    "GanEdgeError",
    "Generator",
    "IncompleteError",
    "InputError",
    "ModelError",
    "OutputError",
    "Translator",
    "Upscaler",
    "__version__",
    "list_models",
    "load",
]

if TYPE_CHECKING:
    from gan_runtime.encoder import Encoder
    from gan_runtime.generator import Generator
    from gan_runtime.image_to_image.translator import Translator
    from gan_runtime.image_to_image.upscaler import Upscaler
    from gan_runtime.opening import list_models, load


LAZY = {
    "Encoder": "encoder",
    "Generator": "generator",
    "Translator": "image_to_image.translator",
    "Upscaler": "image_to_image.upscaler",
    "list_models": "opening",
    "load": "opening",
}


def __getattr__(name: str) -> Any:
    """Import classes and functions on first use, so that `--version` and `--help` load nothing."""
    if name in LAZY:
        return getattr(import_module(f"gan_runtime.{LAZY[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
