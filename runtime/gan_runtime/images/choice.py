"""A random choice of images that is the same in every process and on every host."""

import numpy as np
from numpy.typing import NDArray

SEED = 2026


def some_of(total: int, n: int) -> NDArray[np.int64]:
    """At most n of the indices 0 .. total - 1, int64, in random order; a smaller n gives the first of a larger one.

    The order is that of the first `total` words of the counter-based generator Philox (Salmon et al. 2011). The first n
    images by name would be those of the first classes if a folder is sorted by class.
    """
    return np.random.Philox(SEED).random_raw(total).argsort(kind="stable")[:n]


def some_in_order(total: int, n: int) -> NDArray[np.int64]:
    """The indices of `some_of`, sorted."""
    return np.sort(some_of(total, n))


def described(total: int, n: int) -> str:
    """How n of `total` images were chosen, for reports."""
    return "all" if n >= total else f"{n:,} of {total:,} at random (ranks of Philox words, seed {SEED})"
