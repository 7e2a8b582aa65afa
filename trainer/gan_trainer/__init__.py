"""Train GANs with PyTorch and export their generators to verified ONNX files."""

from gan_runtime import __version__

__all__ = ["__version__"]
