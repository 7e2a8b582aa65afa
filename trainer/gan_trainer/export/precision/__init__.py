"""Files in int8 and fp16: smaller, and faster where there are instructions for them."""

from gan_trainer.export.precision.reduced import FP16, FP32, INT8, described, reduced_file

__all__ = ["FP16", "FP32", "INT8", "described", "reduced_file"]
