"""The kernel distance (KID): unbiased at every number of samples, so that small evaluations can be compared."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from gan_runtime.errors import InputError
from gan_runtime.evaluation.metrics.arrays import Float64, checked_pair


@dataclass(frozen=True)
class KernelDistance:
    """Mean and (population) standard deviation of the squared distances of subsets."""

    mean: float
    deviation: float


def kernel_distance(
    a: ArrayLike, b: ArrayLike, subsets: int = 100, subset_size: int = 1000, seed: int = 2020
) -> KernelDistance:
    """Squared maximum mean discrepancy with the kernel (x.y / d + 1)^3, averaged over random subsets of both sets.

    Binkowski et al. 2018, "Demystifying MMD GANs", section 4; the unbiased estimate is that of Gretton et al. 2012, "A
    kernel two-sample test", lemma 6, which is negative about as often as positive where the distributions are equal.
    The subsets are those that torch-fidelity draws for the same seed, by numpy's frozen RandomState. With `subset_size`
    the size of both sets and `subsets` 1 the distance is that of the whole sets.

    Args:
        a: features [n, d].
        b: features [m, d].
        subsets: how many pairs of subsets, at least 1.
        subset_size: rows of each, without repetition, 2 to min(n, m).
        seed: of the choice of subsets, 0 to 2**32 - 1.

    Raises:
        InputError: unfit features, or an argument out of its range.
    """
    a, b = checked_pair(a, b, ("features a", "features b"))
    if subsets < 1:
        raise InputError(f"{subsets} subsets: at least one is needed")
    if not 2 <= subset_size <= min(len(a), len(b)):
        most = min(len(a), len(b))
        way = f"give a size from 2 to {most}" if most > 1 else "each needs at least 2"
        raise InputError(f"subsets of {subset_size}: the sets have {len(a)} and {len(b)} rows; {way}")
    if not 0 <= seed < 2**32:
        raise InputError(f"seed {seed}: must be between 0 and {2**32 - 1}")
    rng = np.random.RandomState(seed)
    distances = []
    for _ in range(subsets):
        x, y = (part[rng.choice(len(part), subset_size, replace=False)].astype(np.float64) for part in (a, b))
        distances.append(_unbiased_mmd2(x, y))
    return KernelDistance(float(np.mean(distances)), float(np.std(distances)))


def _unbiased_mmd2(x: Float64, y: Float64) -> float:
    n = len(x)
    u, v = _lifted(x), _lifted(y)
    within = sum(_cubes(part @ part.T) - _cubes(np.einsum("nd,nd->n", part, part)) for part in (u, v))
    return within / (n * (n - 1)) - 2.0 * _cubes(u @ v.T) / n**2


def _lifted(x: Float64) -> Float64:
    """Rows u with u.v = x.y / d + 1, so that the kernel is a cube of a product."""
    n, d = x.shape
    return np.concatenate([x / np.sqrt(d), np.ones((n, 1))], axis=1)


def _cubes(products: Float64) -> float:
    return float(np.vdot(products * products, products))
