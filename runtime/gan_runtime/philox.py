"""Philox4x64-10: random words of a counter (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3")."""

import sys

import numpy as np
from numpy.typing import NDArray

WORDS = 4  # for each value of the counter
ROUNDS = 10
FACTORS = 0xD2E7470EE14C6C93, 0xCA5A826395121157  # of the authors' Random123, for the first and the third word
STEPS = 0x9E3779B97F4A7C15, 0xBB67AE8584CAA73B  # from one round's keys to the next: golden ratio, and sqrt(3) - 1
FEW = 2048  # values of the counter whose words take less time here than the import of numpy.random
ALL = 2**64 - 1
HALF, LOWER = np.uint64(32), np.uint64(2**32 - 1)

Word = NDArray[np.uint64]


def random_words(key: int, counter: int, counts: int) -> Word:
    """The words for the values counter + 1 to counter + counts, as `numpy.random.Philox(key, counter)` gives them.

    Args:
        key: 0 to 2**128 - 1.
        counter: not negative; counter + counts is at most 2**128 - 1.
        counts: not negative.

    Returns:
        uint64 [4 counts].
    """
    if counts > FEW or "numpy.random" in sys.modules:
        return np.random.Philox(key=key, counter=counter).random_raw(counts * WORDS)
    low = np.uint64(counter + 1 & ALL)
    a = np.arange(counts, dtype=np.uint64) + low
    b = (a < low) + np.uint64(counter + 1 >> 64)
    c = d = np.zeros(counts, np.uint64)
    first, second = key & ALL, key >> 64
    for _ in range(ROUNDS):
        (above_a, a), (above_c, c) = _product(a, FACTORS[0]), _product(c, FACTORS[1])
        a, b, c, d = above_c ^ b ^ np.uint64(first), c, above_a ^ d ^ np.uint64(second), a
        first, second = first + STEPS[0] & ALL, second + STEPS[1] & ALL
    return np.stack([a, b, c, d], axis=1).ravel()


def _product(words: Word, factor: int) -> tuple[Word, Word]:
    """The upper and the lower 64 bits of products with 128 bits, as of long multiplication in digits of 32 bits."""
    low, high = words & LOWER, words >> HALF
    factor_low, factor_high = np.uint64(factor & 2**32 - 1), np.uint64(factor >> 32)
    middle = high * factor_low + (low * factor_low >> HALF)
    upper = high * factor_high + (middle >> HALF) + ((middle & LOWER) + low * factor_high >> HALF)
    return upper, words * np.uint64(factor)
