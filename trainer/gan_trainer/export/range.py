"""The range of a network's values: what it was said to be, and whether the values agree."""

import math
from dataclasses import dataclass, field

from torch import Tensor

from gan_runtime.errors import InputError
from gan_trainer.export.onnx_file import ExportError

USUAL = (-1.0, 1.0)
TOLERANCE = 0.5e-4  # of the range: rounding of a tanh
SLIGHTLY = 0.02  # of the largest value: what interpolation may add to [0, 1]


@dataclass
class ValueRange:
    """Black and white of a network, and what has been seen of its values.

    Args:
        given: black and white; None for (-1, 1), as a guess.
        clip: whether values may lie outside, to be cut off.

    Raises:
        InputError: `given` is no range.
    """

    given: tuple[float, float] | None = None
    clip: bool = False
    low: float = field(default=math.inf, init=False)
    high: float = field(default=-math.inf, init=False)

    def __post_init__(self) -> None:
        try:
            black, white = self.given or USUAL
            valid = math.isfinite(black) and math.isfinite(white) and black < white
        except (TypeError, ValueError):
            valid = False
        if not valid:
            raise InputError(f"range {self.given}: give the values of black and white, such as (-1, 1) or (0, 255)")

    @property
    def ends(self) -> tuple[float, float]:
        """Black and white."""
        return self.given or USUAL

    def look_at(self, values: Tensor) -> None:
        """Remember how far `values` reach.

        Raises:
            ExportError: outside of the range, and `clip` does not allow it.
        """
        self.low, self.high = min(self.low, values.min().item()), max(self.high, values.max().item())
        black, white = self.ends
        slack = TOLERANCE * (white - black)
        if self.clip or (black - slack <= self.low and self.high <= white + slack):
            return
        peak = self.high if self.high > white + slack else self.low
        grey = self.low >= 0 and self.high > 2
        raise ExportError(
            f"the network's values reach {peak:.4g}, outside of [{black:g}, {white:g}]: end it with tanh, "
            f"say what black and white are, as by range={'(0, 255)' if grey else '(0, 1)'}, "
            "or have what lies outside cut off by clip=True"
        )

    def check_guess(self) -> None:
        """Raise ExportError where the values look like [0, 1] and no range was given."""
        if self.given is None and self.high > 0 and self.low >= -SLIGHTLY * self.high:
            raise ExportError(
                f"the network's values are {self.low:.3g} to {self.high:.3g}, as if they were meant for [0, 1]: "
                "name the range, range=(0, 1), or range=(-1, 1) if all images are brighter than mid-grey"
            )
