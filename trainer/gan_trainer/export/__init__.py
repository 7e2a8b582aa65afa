"""Export a network to one verified ONNX file."""

from gan_trainer.export.generator import export
from gan_trainer.export.onnx_file import OPSETS, ExportError

__all__ = ["OPSETS", "ExportError", "export"]
