"""Sample images from exported GAN generators with ONNX Runtime: numpy, pillow and onnxruntime, never torch."""

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"
__all__ = ["Encoder", "Generator", "__version__"]

if TYPE_CHECKING:
    from gan_runtime.encoder import Encoder
    from gan_runtime.generator import Generator


def __getattr__(name: str) -> Any:
    """Import the classes on first use, so that `--version` and `--help` load nothing."""
    if name == "Encoder":
        from gan_runtime.encoder import Encoder  # noqa: PLC0415

        return Encoder
    if name == "Generator":
        from gan_runtime.generator import Generator  # noqa: PLC0415

        return Generator
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
