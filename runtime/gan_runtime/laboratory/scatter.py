"""Scatter plots of points in the plane, with circles around the modes."""

import numpy as np
from numpy.typing import NDArray

from gan_runtime.laboratory.metrics import REACH
from gan_runtime.laboratory.points import PointsSource

SIDE = 512  # pixels
PAPER, INK, CIRCLE = (255, 255, 255), (20, 60, 140), (220, 120, 90)
FAINTEST = 0.35  # share of the ink for a single point


def scatter(points: NDArray[np.float32], extent: float, source: PointsSource | None = None) -> NDArray[np.uint8]:
    """A scatter plot of [-extent, extent] on both axes, y upwards.

    Args:
        points: float [n, 2]; points outside of the plot are not shown.
        extent: half of the side; equal for plots that are to be compared.
        source: modes to mark by circles with a radius of three deviations, which contain points of high quality.

    Returns:
        uint8 [512, 512, 3]. The more points a pixel has, the darker it is.
    """
    ticks = np.linspace(-extent, extent, SIDE + 1)
    counts = np.histogram2d(-points[:, 1].astype(np.float64), points[:, 0].astype(np.float64), (ticks, ticks))[0]
    picture = np.full((SIDE, SIDE, 3), PAPER, np.float64)
    if source is not None:
        picture[_circles(source, ticks[:-1] + extent / SIDE)] = CIRCLE
    shade = np.where(counts > 0, FAINTEST + (1 - FAINTEST) * np.log1p(counts) / np.log1p(max(1.0, counts.max())), 0.0)
    mixed = picture + shade[:, :, None] * (np.asarray(INK) - picture)
    pixels: NDArray[np.uint8] = np.rint(mixed).astype(np.uint8)
    return pixels


def _circles(source: PointsSource, middles: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Pixels on a circle around any mode, bool [side, side]; `middles` are the centres of pixels along an axis."""
    step = middles[1] - middles[0]
    on = np.zeros((SIDE, SIDE), bool)
    for x, y in source.modes:
        distance = np.hypot(middles[None, :] - x, -middles[:, None] - y)
        on |= np.abs(distance - REACH * source.deviation) <= 0.5 * step
    return on
