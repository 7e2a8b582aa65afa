"""Sample images from exported GAN generators with ONNX Runtime: numpy, pillow and onnxruntime, never torch."""

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"
__all__ = ["Generator", "__version__"]

if TYPE_CHECKING:
    from gan_runtime.generator import Generator


def __getattr__(name: str) -> Any:
    """Import `Generator` on first use, so that `--version` and `--help` load nothing."""
    if name == "Generator":
        from gan_runtime.generator import Generator  # noqa: PLC0415

        return Generator
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
