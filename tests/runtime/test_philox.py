"""Words of Philox, in numpy's arithmetic and from numpy.random."""

from collections.abc import Iterator
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gan_runtime import philox
from gan_runtime.philox import WORDS, random_words

NEAR = st.integers(-3, 3).flatmap(lambda by: st.sampled_from([2**32, 2**63, 2**64, 2**65, 2**96]).map(lambda x: x + by))


def of_numpy(key: int, counter: int, counts: int) -> np.ndarray:
    return np.random.Philox(key=key, counter=counter).random_raw(counts * WORDS)


@pytest.fixture(autouse=True, scope="module")
def _without_numpys() -> Iterator[None]:
    """As in a process that has not imported numpy.random."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("gan_runtime.philox.sys", SimpleNamespace(modules={}))
        yield


@given(key=st.integers(0, 2**128 - 1), counter=st.integers(0, 2**120) | NEAR, counts=st.integers(0, 20))
def test_words_are_numpys(key: int, counter: int, counts: int) -> None:
    words = random_words(key, counter, counts)
    assert words.dtype == np.uint64
    np.testing.assert_array_equal(words, of_numpy(key, counter, counts))


def test_words_of_few_and_of_many_values_are_the_same() -> None:
    few, many = (random_words(7, 2**64 - 100, counts) for counts in (philox.FEW, philox.FEW + 1))
    np.testing.assert_array_equal(few, many[: philox.FEW * WORDS])
    np.testing.assert_array_equal(many, of_numpy(7, 2**64 - 100, philox.FEW + 1))
