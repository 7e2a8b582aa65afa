from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gan_runtime.errors import InputError
from gan_runtime.latents import default_labels, draw_latents, inverse_normal_cdf

GOLDEN = [
    [2.6463854, -0.99212295, -1.0986145, -1.3858148, -1.2366883, -0.15509054],
    [1.6040919, -0.9497724, 1.280641, 0.7700438, -0.33481592, -0.23265196],
]


def test_latents_are_what_they_were() -> None:
    """The contract with every file ever sampled: these values may never change."""
    expected = np.array(GOLDEN, np.float32)
    np.testing.assert_array_equal(draw_latents(seed=1, start=5, n=2, dim=6), expected)


def test_words_are_philox_at_an_offset_of_the_image_index() -> None:
    words = np.random.Philox(key=7, counter=3 * 2).random_raw(5)
    uniform = [((int(word) >> 12) + 0.5) / 2**52 for word in words]
    np.testing.assert_array_equal(
        draw_latents(7, 3, 1, 5, "uniform")[0], np.array([2 * u - 1 for u in uniform], np.float32)
    )
    exact = [NormalDist().inv_cdf(u) for u in uniform]
    np.testing.assert_allclose(draw_latents(7, 3, 1, 5)[0], exact, rtol=1e-6)


@given(
    seed=st.integers(0, 2**64 - 1),
    start=st.integers(0, 2**40),
    dim=st.integers(1, 130),
    cuts=st.lists(st.integers(1, 9), min_size=1, max_size=5),
)
def test_pieces_are_the_whole(seed: int, start: int, dim: int, cuts: list[int]) -> None:
    whole = draw_latents(seed, start, sum(cuts), dim)
    offsets = [start + sum(cuts[:i]) for i in range(len(cuts))]
    pieces = [draw_latents(seed, first, count, dim) for first, count in zip(offsets, cuts, strict=True)]
    np.testing.assert_array_equal(whole, np.concatenate(pieces))


def test_normal_quantiles_have_full_precision() -> None:
    tails = 10.0 ** -np.linspace(0.31, 15.6, 2000)
    p = np.concatenate([np.linspace(0.0005, 0.9995, 4001), tails, 1 - tails[tails > 1e-12]])
    exact = np.array([NormalDist().inv_cdf(float(x)) for x in p])
    np.testing.assert_allclose(inverse_normal_cdf(p), exact, rtol=3e-15, atol=1e-15)


def test_latents_are_standard_normal() -> None:
    z = draw_latents(0, 0, 5000, 64).ravel().astype(np.float64)
    assert abs(z.mean()) < 4 / len(z) ** 0.5
    assert abs(z.var() - 1) < 4 * (2 / len(z)) ** 0.5
    assert abs((z**4).mean() - 3) < 4 * (96 / len(z)) ** 0.5
    share = np.mean(np.abs(z) < 1.959964)
    assert abs(share - 0.95) < 4 * (0.95 * 0.05 / len(z)) ** 0.5


def test_seeds_and_images_are_independent() -> None:
    rows = np.concatenate([draw_latents(0, 0, 50, 64), draw_latents(1, 0, 50, 64)])
    correlations = np.corrcoef(rows) - np.eye(100)
    assert np.abs(correlations).max() < 0.65


def test_numpy_integers_are_integers() -> None:
    far = 2**61
    np.testing.assert_array_equal(draw_latents(0, np.int64(far), np.int32(2), 100), draw_latents(0, far, 2, 100))


def test_no_images_are_no_latents() -> None:
    assert draw_latents(0, 0, 0, 7).shape == (0, 7)


def test_a_negative_number_of_latents_is_refused() -> None:
    with pytest.raises(InputError, match="n -1: must not be negative"):
        draw_latents(0, 0, -1, 7)


@pytest.mark.parametrize(("seed", "start"), [(-1, 0), (2**64, 0), (0, -1), (0, 2**62 + 1)])
def test_bad_seed_and_start_are_refused(seed: int, start: int) -> None:
    with pytest.raises(InputError, match="seed" if start == 0 else "start"):
        draw_latents(seed, start, 1, 4)


def test_unknown_distribution_is_refused() -> None:
    with pytest.raises(InputError, match="cauchy"):
        draw_latents(0, 0, 1, 4, "cauchy")


def test_labels_follow_the_index() -> None:
    assert default_labels(7, 5, 10).tolist() == [7, 8, 9, 0, 1]
