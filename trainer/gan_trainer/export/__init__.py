"""Export a network to one verified ONNX file."""

from gan_trainer.export.generator import export
from gan_trainer.export.onnx_file import OPSETS, ExportError
from gan_trainer.export.styled import export_styled

__all__ = ["OPSETS", "ExportError", "export", "export_styled"]
