"""The range of a generator's values: the range that was given or assumed, and whether the values are in it."""

import math
from dataclasses import dataclass, field

from torch import Tensor

from gan_runtime.errors import InputError
from gan_trainer.export.onnx_file import ExportError

USUAL = (-1.0, 1.0)
TOLERANCE = 0.5e-4  # relative to the range, for the rounding of a tanh
SLIGHTLY = 0.02  # relative to the largest value: how far interpolation may leave [0, 1]


@dataclass
class ValueRange:
    """The values of black and white of a network, and the range of the values seen so far.

    Args:
        given: the values of black and white; None assumes (-1, 1).
        clip: whether values outside of the range are accepted, because the file clips them.

    Raises:
        InputError: `given` is not a range.
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
        """The values of black and white."""
        return self.given or USUAL

    def look_at(self, values: Tensor) -> None:
        """Update the range of the values seen with `values`.

        Raises:
            ExportError: a value is outside of the range, and `clip` is False.
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
            f"give the values of black and white, such as range={'(0, 255)' if grey else '(0, 1)'}, "
            "or clip the values outside with clip=True"
        )

    def check_guess(self) -> None:
        """Raise ExportError if no range was given and the values look like [0, 1]."""
        if self.given is None and self.high > 0 and self.low >= -SLIGHTLY * self.high:
            raise ExportError(
                f"the network's values are {self.low:.3g} to {self.high:.3g}, as if their range were [0, 1]: "
                "give range=(0, 1), or range=(-1, 1) if all images are brighter than mid-grey"
            )
