"""What a caller states about a file without a manifest."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from numbers import Real
from types import MappingProxyType
from typing import Any

from gan_runtime.errors import InputError
from gan_runtime.manifest import DISTRIBUTIONS

LAYOUTS = ("nchw", "nhwc")
NARROWEST = 1e-30  # range


@dataclass(frozen=True)
class Assumptions:
    """What a caller states about a file without a manifest. The graph and its first images determine the rest.

    Raises:
        InputError: a value is out of range or of another type.
    """

    range: tuple[float, float] | None = None
    """The values of black and white in the output, such as (-1, 1)."""
    layout: str | None = None
    """The layout of the output, "nchw" or "nhwc"."""
    latents_input: str | None = None
    labels_input: str | None = None
    images_output: str | None = None
    latent_dim: int | None = None
    """Values per latent, if the graph does not fix them."""
    classes: int | None = None
    """The number of classes, if the graph does not show it."""
    distribution: str | None = None
    """The distribution of the latents, "normal" (the default) or "uniform"."""
    inputs: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    """Constants for other inputs, by name."""
    unrepeatable: bool = False
    """Whether to accept images that differ from run to run, or depend on their batch."""

    def __post_init__(self) -> None:
        if self.range is not None:
            object.__setattr__(self, "range", _pair(self.range))
        for name, choices in {"layout": LAYOUTS, "distribution": DISTRIBUTIONS}.items():
            if getattr(self, name) not in (None, *choices):
                raise InputError(f"{name} {getattr(self, name)!r}: choose one of {', '.join(choices)}")
        for name in ("latent_dim", "classes"):
            value = getattr(self, name)
            if value is not None and (type(value) is not int or value < 1):
                raise InputError(f"{name} {value!r}: must be an integer of at least 1")
        if not isinstance(self.inputs, Mapping) or not all(map(_is_number, self.inputs.values())):
            raise InputError(f"inputs {self.inputs!r}: must be finite numbers by the names of inputs")

    def given(self) -> list[str]:
        """The fields that are set, as flags of a command."""
        default = Assumptions()
        said = [entry.name for entry in fields(self) if getattr(self, entry.name) != getattr(default, entry.name)]
        return ["--input" if name == "inputs" else f"--{name.replace('_', '-')}" for name in said]


def _pair(values: Any) -> tuple[float, float]:
    """`values` as two numbers, the lower one first, whose difference float32 can hold."""
    try:
        low, high = map(float, values)
    except (TypeError, ValueError):
        raise InputError(f"range {values!r}: must be two numbers, the lower one first, as (-1, 1)") from None
    if not (math.isfinite(high - low) and high - low >= NARROWEST):
        raise InputError(f"range {low:g}:{high:g}: must be two numbers, the lower one first")
    return low, high


def _is_number(value: object) -> bool:
    return isinstance(value, Real) and math.isfinite(value)
