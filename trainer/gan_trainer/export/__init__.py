"""A network to one verified ONNX file."""

from gan_trainer.export.generator import export

__all__ = ["export"]
