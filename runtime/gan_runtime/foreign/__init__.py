"""Files without a manifest, written by other programs: their inputs, outputs and value ranges."""

from gan_runtime.foreign.assumptions import Assumptions

__all__ = ["Assumptions"]
