"""The measure of memorisation, on features of which the truth is known."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.spatial import cKDTree
from scipy.stats import mannwhitneyu

from gan_runtime.errors import InputError
from gan_runtime.evaluation.metrics import memorisation, nearest_distances

TRAIN, HELD_OUT, SAMPLES, DIMENSIONS = 600, 200, 300, 8


@pytest.fixture
def real() -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Training and held-out features of one distribution."""
    features = np.random.default_rng(0).normal(3.0, 2.0, (TRAIN + HELD_OUT, DIMENSIONS)).astype(np.float32)
    return features[:TRAIN], features[TRAIN:]


def fresh(seed: int, mean: float = 3.0) -> NDArray[np.float32]:
    return np.random.default_rng(seed).normal(mean, 2.0, (SAMPLES, DIMENSIONS)).astype(np.float32)


def test_nearest_distances_are_those_of_a_tree(real: tuple[NDArray[np.float32], NDArray[np.float32]]) -> None:
    expected = cKDTree(real[0]).query(fresh(1))[0]
    assert np.sqrt(nearest_distances(fresh(1), real[0])) == pytest.approx(expected, rel=1e-6)
    assert nearest_distances(real[0], real[0]).tolist() == [0.0] * TRAIN


def test_a_generator_that_replays_training_images_copies(
    real: tuple[NDArray[np.float32], NDArray[np.float32]],
) -> None:
    train, held_out = real
    replayed = train[np.random.default_rng(2).integers(0, TRAIN, SAMPLES)]
    found = memorisation(replayed, train, held_out)
    assert (found.copied, found.nearer, found.sample_distance, found.found) == (1.0, 1.0, 0.0, True)
    blurred = memorisation(replayed + 0.3 * fresh(3, 0.0) / 2.0, train, held_out)
    assert blurred.nearer > 0.95
    assert blurred.found


def test_a_part_of_copies_among_new_images_is_found(real: tuple[NDArray[np.float32], NDArray[np.float32]]) -> None:
    train, held_out = real
    found = memorisation(np.concatenate([train[:30], fresh(4)[:270]]), train, held_out)
    assert found.copied == pytest.approx(0.1, abs=0.01)
    assert found.found


def test_a_generator_that_draws_held_out_images_does_not_copy(
    real: tuple[NDArray[np.float32], NDArray[np.float32]],
) -> None:
    train, held_out = real
    found = memorisation(held_out, train, held_out)
    assert (found.copied, found.nearer, found.found) == (0.0, 0.5, False)
    assert found.sample_distance == found.held_out_distance


def test_new_images_of_the_same_distribution_do_not_copy(
    real: tuple[NDArray[np.float32], NDArray[np.float32]],
) -> None:
    found = [memorisation(fresh(seed), *real) for seed in range(10, 30)]
    assert not any(each.found for each in found)
    assert np.mean([each.nearer for each in found]) == pytest.approx(0.5, abs=0.05)
    assert max(each.copied for each in found) < 0.05


def test_few_held_out_images_prove_little() -> None:
    """The nearest of eight held-out images is often far from all training images."""
    found = []
    for seed in range(100):
        features = np.random.default_rng(seed).normal(size=(400, DIMENSIONS))
        found.append(memorisation(features[:100], features[100:-8], features[-8:]))
    assert sum(each.copied > 0.05 for each in found) > 30
    assert sum(each.found for each in found) <= 5  # two per hundred on average, and as many by `nearer`


def test_images_unlike_real_ones_do_not_copy(real: tuple[NDArray[np.float32], NDArray[np.float32]]) -> None:
    found = memorisation(fresh(5, mean=20.0), *real)
    assert (found.copied, found.nearer, found.found) == (0.0, 0.0, False)


def test_the_statistic_is_that_of_mann_and_whitney(real: tuple[NDArray[np.float32], NDArray[np.float32]]) -> None:
    train, held_out = real
    samples = np.concatenate([fresh(6), held_out[:50]])  # with ties
    found = memorisation(samples, train, held_out)
    u = mannwhitneyu(nearest_distances(held_out, train), nearest_distances(samples, train)).statistic
    assert found.nearer == pytest.approx(u / (len(samples) * len(held_out)))


def test_features_of_other_lengths_are_refused(real: tuple[NDArray[np.float32], NDArray[np.float32]]) -> None:
    with pytest.raises(InputError):
        memorisation(np.zeros((5, DIMENSIONS + 1), np.float32), *real)
