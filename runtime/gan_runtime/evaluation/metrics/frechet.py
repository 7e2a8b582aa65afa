"""The Frechet distance of Gaussians, and mean and covariance of features in batches."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import reduce
from operator import add

import numpy as np
from numpy.typing import ArrayLike

from gan_runtime.errors import InputError
from gan_runtime.evaluation.metrics.arrays import Float64, blocks, checked

_ROWS = 4096


@dataclass(frozen=True, eq=False)
class Moments:
    """Mean and scatter matrix of `count` rows. Adding two gives those of all their rows.

    Attributes:
        count: number of rows.
        mean: float64 [d].
        scatter: float64 [d, d], the sum over rows of (x - mean)(x - mean)^T.
    """

    count: int
    mean: Float64
    scatter: Float64

    @classmethod
    def of(cls, features: ArrayLike) -> "Moments":
        """The moments of features [n, d], n >= 1.

        Raises:
            InputError: not an array [n, d] of finite numbers.
        """
        return reduce(add, (cls._of_block(block) for _, block in blocks(checked(features, "features"), _ROWS)))

    @classmethod
    def over(cls, batches: Iterable[ArrayLike]) -> "Moments":
        """The moments of all `batches` of features [n, d] together, one batch at a time in memory.

        Raises:
            InputError: there is no batch, or one is not an array [n, d] of finite numbers or has another width.
        """
        parts = map(cls.of, batches)
        first = next(parts, None)
        if first is None:
            raise InputError("features: there are none to take a mean of; give at least one batch")
        return reduce(add, parts, first)

    @classmethod
    def _of_block(cls, block: Float64) -> "Moments":
        mean = block.mean(axis=0)
        deviations = block - mean
        return cls(len(block), mean, deviations.T @ deviations)

    def __add__(self, other: "Moments") -> "Moments":
        """Chan, Golub, LeVeque 1979, "Updating formulae and a pairwise algorithm for computing sample variances"."""
        if len(self.mean) != len(other.mean):
            raise InputError(f"moments: {len(self.mean)} and {len(other.mean)} dimensions; one network makes one width")
        count = self.count + other.count
        step = other.mean - self.mean
        between = np.outer(step, step) * (self.count * other.count / count)
        return Moments(count, self.mean + step * (other.count / count), self.scatter + other.scatter + between)

    @property
    def covariance(self) -> Float64:
        """The unbiased covariance, float64 [d, d]: scatter / (count - 1).

        Raises:
            InputError: there is only one row.
        """
        if self.count < 2:
            raise InputError("moments: one row has no covariance; give at least two")
        return self.scatter / (self.count - 1)


def frechet_distance(mean_a: ArrayLike, cov_a: ArrayLike, mean_b: ArrayLike, cov_b: ArrayLike) -> float:
    """Squared Frechet distance of two Gaussians: |mean_a - mean_b|^2 + tr(A + B - 2 (A^1/2 B A^1/2)^1/2).

    Dowson and Landau 1982, "The Frechet distance between multivariate normal distributions"; as a metric of generators
    ("FID") Heusel et al. 2017, "GANs trained by a two time-scale update rule", equation 6. With A = F F^T and B = G G^T
    the last trace is the sum of the singular values of F^T G. It is taken from them, because no square of a small
    number occurs there: equal or singular covariances cost no accuracy.

    Args:
        mean_a: [d].
        cov_a: [d, d], symmetric and positive semidefinite.
        mean_b: [d].
        cov_b: [d, d], as cov_a.

    Returns:
        The distance, not negative.

    Raises:
        InputError: shapes do not match, values are not finite, or a matrix is not a covariance.
    """
    (a, root_a, spread_a), (b, root_b, spread_b) = _gaussian(mean_a, cov_a), _gaussian(mean_b, cov_b)
    if a.shape != b.shape:
        raise InputError(f"Gaussians of {len(a)} and {len(b)} dimensions: both must come from the same network")
    shared = float(np.linalg.svd(root_a.T @ root_b, compute_uv=False).sum())
    return max(0.0, float((a - b) @ (a - b)) + spread_a + spread_b - 2.0 * shared)


def frechet_distance_of(a: Moments | ArrayLike, b: Moments | ArrayLike) -> float:
    """`frechet_distance` of the Gaussians fitted to two sets of images, each given by features [n, d] or by `Moments`.

    It is biased upwards by about 1 / n: compare only values of the same n.

    Raises:
        InputError: unfit features, or a set of fewer than d + 1 rows: its covariance would be singular by
            lack of data, and the distance a number without a meaning.
    """
    moments = [given if isinstance(given, Moments) else Moments.of(given) for given in (a, b)]
    for part in moments:
        if part.count < len(part.mean) + 1:
            raise InputError(
                f"{part.count} images: a Frechet distance in {len(part.mean)} dimensions needs at least "
                f"{len(part.mean) + 1}; draw more, or use features of fewer dimensions"
            )
    (mean_a, cov_a), (mean_b, cov_b) = ((part.mean, part.covariance) for part in moments)
    return frechet_distance(mean_a, cov_a, mean_b, cov_b)


def _gaussian(mean: ArrayLike, covariance: ArrayLike) -> tuple[Float64, Float64, float]:
    """The mean, a matrix F with F F^T = `covariance`, and the trace, of something that is a Gaussian."""
    centre, matrix = np.asarray(mean, np.float64), np.asarray(covariance, np.float64)
    if centre.ndim != 1 or matrix.shape != centre.shape * 2:
        raise InputError(f"mean {centre.shape} and covariance {matrix.shape}: the shapes must be [d] and [d, d]")
    if not (np.isfinite(centre).all() and np.isfinite(matrix).all()):
        raise InputError("mean or covariance: values that are not finite; check the features")
    size = np.abs(matrix).max(initial=0.0)
    if not np.allclose(matrix, matrix.T, rtol=0.0, atol=1e-8 * size):
        raise InputError("covariance: not symmetric; give (m + m.T) / 2 if that is what is meant")
    values, vectors = np.linalg.eigh(matrix)
    if values.min(initial=0.0) < -1e-8 * size * len(centre):
        raise InputError(f"covariance: a negative variance, {values.min():.3g}; no data have such a covariance")
    return centre, vectors * np.sqrt(values.clip(min=0.0)), float(np.trace(matrix))
