"""Metrics of points around known modes."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from gan_runtime.errors import InputError
from gan_runtime.evaluation.metrics.arrays import Float64, checked
from gan_runtime.evaluation.metrics.modes import mode_coverage

REACH = 3.0  # standard deviations; points this close to a mode are of high quality
CEILING = -math.expm1(-(REACH**2) / 2)  # share of a two-dimensional Gaussian within REACH: 98.89 %


@dataclass(frozen=True)
class PointScores:
    """Scores of points.

    Attributes:
        high_quality: the share of points within three standard deviations of the nearest mode; `CEILING` for a perfect
            sampler in two dimensions.
        modes: the number of modes with at least one such point.
        kl: KL(such points || uniform) of the modes' frequencies in nats; None if there is no such point.
    """

    high_quality: float
    modes: int
    kl: float | None


def point_scores(points: ArrayLike, centres: ArrayLike, deviation: float) -> PointScores:
    """Score points of a mixture of equal Gaussians as in Srivastava et al. 2017, "VEEGAN", section 4.1.

    The divergence is biased, as in `mode_coverage`: n points of the mixture itself have (modes - 1) / (2 n).

    Args:
        points: [n, d].
        centres: of the modes, [k, d].
        deviation: standard deviation of each mode along each axis.

    Raises:
        InputError: the arrays are not finite or differ in width, or the deviation is not positive.
    """
    a, b = checked(points, "points").astype(np.float64), checked(centres, "centres").astype(np.float64)
    if a.shape[1] != b.shape[1]:
        raise InputError(f"points of {a.shape[1]} coordinates: the modes have {b.shape[1]}")
    if not deviation > 0:
        raise InputError(f"deviation {deviation}: must be positive")
    squares: Float64 = np.stack([((a - centre) ** 2).sum(1) for centre in b], 1)
    near = squares.min(1) <= (REACH * deviation) ** 2
    if not near.any():
        return PointScores(0.0, 0, None)
    found = mode_coverage(squares.argmin(1)[near], np.ones(len(b)))
    return PointScores(float(near.mean()), found.covered, found.divergence)
