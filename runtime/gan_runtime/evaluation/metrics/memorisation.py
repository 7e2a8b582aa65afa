"""Does a generator repeat its training images? Distances to the nearest of them tell."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from gan_runtime.evaluation.metrics.arrays import Float64
from gan_runtime.evaluation.metrics.neighbours import nearest_distances

COPIES = 0.05  # a larger share of copied samples is memorisation
NEARER = 0.7  # and so are samples that are nearer this often
CHANCE, DEVIATIONS = 0.02, 3.0  # if chance does not explain them


@dataclass(frozen=True)
class Memorisation:
    """The distances of samples to their nearest training images, compared with those of held-out images.

    Attributes:
        copied: share of samples that are nearer to a training image than any held-out image is, 0 to 1.
        chance: what `copied` exceeds in one of fifty sets of new images: with few held-out images, much.
        nearer: probability that a sample is nearer to the training images than a held-out image is, 0 to 1: 0.5 for
            new images of the same distribution, 1 for copies, less than 0.5 for images that are unlike real ones.
        deviations: `nearer` minus 0.5, in standard deviations of equal distributions.
        sample_distance: median distance of a sample to its nearest training image.
        held_out_distance: the same of a held-out image.
    """

    copied: float
    chance: float
    nearer: float
    deviations: float
    sample_distance: float
    held_out_distance: float

    @property
    def found(self) -> bool:
        """Whether the samples repeat training images."""
        return self.copied > max(COPIES, self.chance) or (self.nearer > NEARER and self.deviations > DEVIATIONS)


def memorisation(
    samples: ArrayLike, train: ArrayLike, held_out: ArrayLike, held_out_squares: Float64 | None = None
) -> Memorisation:
    """Compare samples and held-out images by their Euclidean distances to the nearest training image.

    `nearer` is U / (n m) of the test of Mann and Whitney, as in Meehan, Chaudhuri and Dasgupta 2020, "A non-parametric
    test to detect data-copying in generative models", section 3; `deviations` is its Z_U with the opposite sign.

    Args:
        samples: features [n, d].
        train: features of the images that the generator was trained on, [t, d].
        held_out: features of real images that it was not trained on, [m, d].
        held_out_squares: `nearest_distances(held_out, train)` if it is known already, float64 [m].

    Raises:
        InputError: as `checked`.
    """
    squares = nearest_distances(samples, train)
    real = nearest_distances(held_out, train) if held_out_squares is None else held_out_squares
    n, m = len(squares), len(real)
    ordered = np.sort(real)
    beyond = m - np.searchsorted(ordered, squares, side="right")
    ties = m - beyond - np.searchsorted(ordered, squares, side="left")
    nearer = float((beyond + ties / 2).sum() / (n * m))
    return Memorisation(
        copied=float(np.mean(squares < ordered[0])),
        chance=1.0 - CHANCE ** (1.0 / m),  # P(copied > x) = (1 - x)^m
        nearer=nearer,
        deviations=(nearer - 0.5) / math.sqrt((n + m + 1) / (12 * n * m)),
        sample_distance=float(np.sqrt(np.median(squares))),
        held_out_distance=float(np.sqrt(np.median(real))),
    )
