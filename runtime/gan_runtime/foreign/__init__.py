"""Files without a manifest, made by others: what is taken for granted about them, and how they are fed and read."""

from gan_runtime.foreign.assumptions import Assumptions

__all__ = ["Assumptions"]
