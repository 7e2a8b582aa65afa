"""Which images are looked at where not all are: some of them at random, the same ones every time and on every host."""

import numpy as np
from numpy.typing import NDArray

SEED = 2026


def some_of(total: int, n: int) -> NDArray[np.int64]:
    """At most n of `total` indices, int64, in random order; fewer are the first of more.

    They are the ranks of the first `total` words of the counter-based generator Philox (Salmon et al. 2011): the first
    n by name would be the first classes of a folder that is sorted by class.
    """
    return np.random.Philox(SEED).random_raw(total).argsort(kind="stable")[:n]


def some_in_order(total: int, n: int) -> NDArray[np.int64]:
    """The same indices, sorted: all of them are 0 .. total - 1."""
    return np.sort(some_of(total, n))


def described(total: int, n: int) -> str:
    """How they were chosen, for reports."""
    return "all" if n >= total else f"{n:,} of {total:,} at random (ranks of Philox words, seed {SEED})"
