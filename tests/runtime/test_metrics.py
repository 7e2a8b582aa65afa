import math
from collections.abc import Callable
from dataclasses import astuple
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from gan_runtime.data import load_dataset
from gan_runtime.errors import InputError
from gan_runtime.evaluation.metrics import (
    Moments,
    Neighbourhoods,
    density_coverage,
    frechet_distance,
    frechet_distance_of,
    kernel_distance,
    label_accuracy,
    mode_coverage,
    nearest_neighbour_accuracy,
    neighbour_distances,
    neighbourhood_metrics,
    precision_recall,
)

Array = NDArray[np.float64]
CLASSES, D = 10, 12


def normal(n: int, d: int, seed: int = 0) -> Array:
    return np.random.default_rng(seed).standard_normal((n, d))


def covariance(d: int, seed: int) -> Array:
    root = normal(d, d, seed)
    return root @ root.T


def with_exact_moments(mean: Array, cov: Array, n: int, seed: int = 0) -> Array:
    """Features whose sample mean and unbiased covariance are the given ones."""
    x = normal(n, len(mean), seed)
    x -= x.mean(axis=0)
    white = x @ np.linalg.inv(np.linalg.cholesky(np.cov(x, rowvar=False))).T
    return white @ np.linalg.cholesky(cov).T + mean


class Clusters:
    """Ten round classes in feature space: `of` draws images of them, `logits` reads their class."""

    centres = 6.0 * np.eye(CLASSES, D)

    def of(self, labels: NDArray[np.int64], seed: int, spread: float = 1.0) -> Array:
        return self.centres[labels] + spread * normal(len(labels), D, seed)

    def logits(self, features: Array) -> Array:
        squares = ((features[:, None] - self.centres) ** 2).sum(axis=2)
        return -squares / 2


LABELS = np.arange(600) % CLASSES
EVEN = np.ones(CLASSES)
REAL = Clusters().of(LABELS, seed=1)


def judged(fake: Array) -> tuple[float, Neighbourhoods]:
    return frechet_distance_of(REAL, fake), neighbourhood_metrics(REAL, fake)


FLOOR, CEILING = judged(Clusters().of(LABELS, seed=2))


# Frechet distance


def test_frechet_distance_of_commuting_gaussians() -> None:
    a, b = np.array([1.0, 4.0, 9.0]), np.array([4.0, 4.0, 1.0])
    found = frechet_distance([0, 0, 1], np.diag(a), [3, 0, -1], np.diag(b))
    assert found == pytest.approx(9 + 4 + ((np.sqrt(a) - np.sqrt(b)) ** 2).sum(), rel=1e-14)
    turn = np.linalg.qr(normal(3, 3))[0]
    turned = frechet_distance([0, 0, 1], turn * a @ turn.T, [3, 0, -1], turn * b @ turn.T)
    assert turned == pytest.approx(found, rel=1e-13)


@given(st.integers(0, 10**6))
def test_frechet_distance_of_gaussians_that_do_not_commute(seed: int) -> None:
    """In two dimensions tr (AB)^1/2 = (tr AB + 2 (det A det B)^1/2)^1/2."""
    a, b, (mean_a, mean_b) = covariance(2, seed), covariance(2, seed + 1), normal(2, 2, seed)
    shared = np.sqrt(np.trace(a @ b) + 2 * np.sqrt(np.linalg.det(a) * np.linalg.det(b)))
    expected = ((mean_a - mean_b) ** 2).sum() + np.trace(a) + np.trace(b) - 2 * shared
    assert frechet_distance(mean_a, a, mean_b, b) == pytest.approx(expected, rel=1e-7, abs=1e-7)


def test_frechet_distance_of_features_is_that_of_their_moments() -> None:
    (mean_a, mean_b), a, b = normal(2, 8, 5), covariance(8, 1) + np.eye(8), covariance(8, 2) + np.eye(8)
    x, y = with_exact_moments(mean_a, a, 9, seed=3), with_exact_moments(mean_b, b, 400, seed=4)
    expected = frechet_distance(mean_a, a, mean_b, b)
    assert expected > 1
    assert frechet_distance_of(x, y) == pytest.approx(expected, rel=1e-9)
    assert frechet_distance_of(Moments.of(x), y) == pytest.approx(expected, rel=1e-9)
    assert frechet_distance_of(y, x) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("rank", [1, 5, 40])
def test_equal_gaussians_are_at_distance_zero_even_where_they_are_flat(rank: int) -> None:
    root = normal(40, rank)
    flat = root @ root.T
    assert 0 <= frechet_distance(np.ones(40), flat, np.ones(40), flat) < 1e-12 * np.trace(flat)


def test_flat_gaussians_cost_no_digits() -> None:
    """Features that never vary are common. Roots of eigenvalues of a product are off by 1e-8 of the trace there."""
    root = normal(64, 5)
    cov, trace = root @ root.T, np.sum(root**2)
    found = frechet_distance(np.zeros(64), cov, np.zeros(64), 1.001**2 * cov)
    assert found == pytest.approx(0.001**2 * trace, abs=1e-12 * trace)


def test_frechet_distance_agrees_with_scipy() -> None:
    linalg = pytest.importorskip("scipy.linalg", reason="scipy is a development dependency")
    for d, seed in (2, 0), (16, 1), (100, 2):
        a, b, (mean_a, mean_b) = covariance(d, seed), covariance(d, seed + 9), normal(2, d, seed)
        root = linalg.sqrtm(a @ b).real
        expected = ((mean_a - mean_b) ** 2).sum() + np.trace(a + b - 2 * root)
        found = frechet_distance(mean_a, a, mean_b, b)
        print(f"FID, d = {d}: {found!r}, scipy.linalg.sqrtm {float(expected)!r}")
        assert found == pytest.approx(expected, rel=1e-6)


def test_moments_are_numpys() -> None:
    x = normal(50, 4) + 3
    moments = Moments.of(x)
    assert moments.count == 50
    np.testing.assert_allclose(moments.mean, x.mean(axis=0), rtol=1e-13)
    np.testing.assert_allclose(moments.covariance, np.cov(x, rowvar=False), rtol=1e-12)
    many = normal(9001, 3)  # more than one block
    np.testing.assert_allclose(Moments.of(many).covariance, np.cov(many, rowvar=False), rtol=1e-10, atol=1e-12)


@given(cuts=st.lists(st.integers(1, 59), max_size=9), seed=st.integers(0, 1000))
def test_moments_depend_on_neither_order_nor_batches(cuts: list[int], seed: int) -> None:
    x = normal(60, 5) + 1e4  # a sum of squares would lose eight digits
    order = np.random.default_rng(seed).permutation(60)
    batches = [x[order][a:b] for a, b in pairwise(sorted({0, 60, *cuts}))]
    whole, pieces = Moments.of(x), Moments.over(iter(batches))
    assert pieces.count == 60
    np.testing.assert_allclose(pieces.mean, whole.mean, rtol=1e-14)
    np.testing.assert_allclose(pieces.covariance, np.cov(x, rowvar=False), rtol=1e-7, atol=1e-7)
    np.testing.assert_allclose(sum(map(Moments.of, batches[1:]), Moments.of(batches[0])).scatter, pieces.scatter)


# Kernel distance


def squared_mmd(x: Array, y: Array) -> float:
    """Gretton et al. 2012, lemma 6, as it stands."""

    def k(a: Array, b: Array) -> float:
        return float((np.dot(a, b) / len(a) + 1) ** 3)

    n, m = len(x), len(y)
    xx = sum(k(x[i], x[j]) for i in range(n) for j in range(n) if i != j)
    yy = sum(k(y[i], y[j]) for i in range(m) for j in range(m) if i != j)
    xy = sum(k(a, b) for a in x for b in y)
    return xx / (n * (n - 1)) + yy / (m * (m - 1)) - 2 * xy / (n * m)


def test_kernel_distance_is_its_definition() -> None:
    x, y = normal(15, 4, 1), normal(15, 4, 2) + 0.5
    whole = kernel_distance(x, y, subsets=1, subset_size=15)
    assert whole.mean == pytest.approx(squared_mmd(x, y), rel=1e-12)
    assert whole.deviation == 0
    rng = np.random.RandomState(7)
    drawn = [squared_mmd(x[rng.choice(15, 6, False)], y[rng.choice(15, 6, False)]) for _ in range(5)]
    found = kernel_distance(x, y, subsets=5, subset_size=6, seed=7)
    assert astuple(found) == pytest.approx((np.mean(drawn), np.std(drawn)), rel=1e-12)
    assert astuple(kernel_distance(x, y, subsets=5, subset_size=6, seed=8)) != astuple(found)


def test_kernel_distance_agrees_with_scikit_learn() -> None:
    pairs = pytest.importorskip("sklearn.metrics.pairwise", reason="prdc, a development dependency, brings it")
    x, y = normal(200, 20, 1), normal(200, 20, 2) + 0.1
    xx, yy, xy = (pairs.polynomial_kernel(a, b, degree=3, gamma=1 / 20, coef0=1) for a, b in ((x, x), (y, y), (x, y)))
    expected = ((xx.sum() - xx.trace()) + (yy.sum() - yy.trace())) / (200 * 199) - 2 * xy.mean()
    found = kernel_distance(x, y, subsets=1, subset_size=200).mean
    print(f"KID: {found!r}, scikit-learn's kernel {float(expected)!r}")
    assert found == pytest.approx(expected, rel=1e-6)


def test_kernel_distance_is_unbiased() -> None:
    same = [kernel_distance(normal(60, 8, 2 * s), normal(60, 8, 2 * s + 1), 1, 60).mean for s in range(100)]
    assert 30 < sum(value < 0 for value in same) < 90
    assert abs(np.mean(same)) < 4 * np.std(same) / 10
    assert kernel_distance(normal(60, 8), normal(60, 8, 1) + 1, 1, 60).mean > 10 * np.std(same)


# torch-fidelity, where it imports: with a CPU build of torch it needs the CPU build of torchvision


@pytest.fixture
def fidelity() -> Callable[..., dict[str, float]]:
    try:
        import torch
        from torch_fidelity import metric_fid, metric_kid, metric_prc
    except (ImportError, RuntimeError) as reason:
        pytest.skip(f"torch-fidelity: {reason}")

    def measure(fake: Array, real: Array) -> dict[str, float]:
        a, b = torch.tensor(fake), torch.tensor(real)
        statistics = [metric_fid.fid_features_to_statistics(part) for part in (a, b)]
        kernel = {"kid_degree": 3, "kid_gamma": None, "kid_coef0": 1, "kid_subsets": 10, "kid_subset_size": 100}
        balls = {"prc_neighborhood": 5, "prc_batch_size": 100, "save_cpu_ram": False}
        return {
            **metric_fid.fid_statistics_to_metric(*statistics, verbose=False),
            **metric_kid.kid_features_to_metric(a, b, rng_seed=2020, verbose=False, **kernel),
            **metric_prc.prc_features_to_metric(a, b, verbose=False, **balls),
        }

    return measure


def test_agrees_with_torch_fidelity(fidelity: Callable[..., dict[str, float]]) -> None:
    fake, real = normal(300, 16, 1) * 1.2, normal(250, 16, 2)
    kernel = kernel_distance(fake, real, subsets=10, subset_size=100)
    precision, recall = precision_recall(real, fake)
    ours = {
        "frechet_inception_distance": frechet_distance_of(fake, real),
        "kernel_inception_distance_mean": kernel.mean,
        "kernel_inception_distance_std": kernel.deviation,
        "precision": precision,
        "recall": recall,
    }
    theirs = fidelity(fake, real)
    for name, value in ours.items():
        print(f"{name}: {value!r}, torch-fidelity {theirs[name]!r}")
        assert value == pytest.approx(theirs[name], rel=1e-6)


# Neighbourhoods


def by_hand(real: Array, fake: Array, k: int) -> tuple[float, float, float, float]:
    """The definitions, pair by pair."""

    def squared(a: Array, b: Array) -> float:
        return math.fsum((float(x) - float(y)) ** 2 for x, y in zip(a, b, strict=True))

    def radii(points: Array) -> list[float]:
        n = len(points)
        return [sorted(squared(points[i], points[j]) for j in range(n) if j != i)[k - 1] for i in range(n)]

    of_real, of_fake = radii(real), radii(fake)
    in_real = [[squared(x, y) <= of_real[i] for y in fake] for i, x in enumerate(real)]
    in_fake = [[squared(x, y) <= of_fake[j] for j, y in enumerate(fake)] for x in real]
    precision = sum(any(column) for column in zip(*in_real, strict=True)) / len(fake)
    recall = sum(map(any, in_fake)) / len(real)
    density = sum(map(sum, in_real)) / (k * len(fake))
    return precision, recall, density, sum(map(any, in_real)) / len(real)


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gan_runtime.evaluation.metrics.neighbours._ROWS", 7)
    monkeypatch.setattr("gan_runtime.evaluation.metrics.neighbours._COLUMNS", 5)


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("k", [1, 3, 8])
@pytest.mark.parametrize("d", [1, 3])
def test_neighbourhoods_are_their_definition_across_blocks(k: int, d: int) -> None:
    for seed in range(5):
        real, fake = normal(23, d, seed), 0.6 * normal(17, d, seed + 50) + 0.5
        expected = by_hand(real, fake, k)
        assert astuple(neighbourhood_metrics(real, fake, k)) == pytest.approx(expected, rel=1e-12)
        assert precision_recall(real, fake, k) == pytest.approx(expected[:2], rel=1e-12)
        assert density_coverage(real, fake, k) == pytest.approx(expected[2:], rel=1e-12)
        known = neighbour_distances(real, k)
        assert astuple(neighbourhood_metrics(real, fake, k, known)) == pytest.approx(expected, rel=1e-12)


def test_neighbour_distances_are_those_of_a_full_sort() -> None:
    x = normal(2100, 2)  # more than a block in either direction
    ordered = np.sort(sum((column[:, None] - column) ** 2 for column in x.T), axis=1)
    for k in 1, 5, 300:
        np.testing.assert_allclose(neighbour_distances(x, k), ordered[:, k], rtol=1e-9, atol=1e-13)


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize(("step", "offset"), [(0.1, 0.0), (0.5, 1234.5)])
def test_ties_and_repeated_points_are_counted_as_in_exact_arithmetic(step: float, offset: float) -> None:
    """Points of a lattice, many of them twice: nearly every comparison is one of equal distances."""
    for seed in range(8):
        rng = np.random.default_rng(seed)
        real, fake = rng.integers(0, 3, (25, 3)), rng.integers(0, 4, (30, 3))
        expected = by_hand(real, fake, 3)
        found = neighbourhood_metrics(step * real + offset, step * fake + offset, 3)
        assert astuple(found) == pytest.approx(expected, rel=1e-12)


def test_a_far_outlier_blurs_no_comparison() -> None:
    real, fake = normal(60, 4, 1), normal(60, 4, 2)
    fake[0] = 1e7
    assert astuple(neighbourhood_metrics(real, fake)) == pytest.approx(by_hand(real, fake, 5), rel=1e-12)


def test_neighbourhoods_agree_with_prdc(capsys: pytest.CaptureFixture[str]) -> None:
    prdc = pytest.importorskip("prdc", reason="prdc is a development dependency")
    lines = []
    for d, n, m in (2, 300, 200), (64, 400, 500):
        real, fake = normal(n, d, 1), 0.9 * normal(m, d, 2) + 0.05
        expected = prdc.compute_prdc(real, fake, 5)
        found = neighbourhood_metrics(real, fake, 5)
        for name, value in expected.items():
            lines.append(f"{name}, d = {d}: {getattr(found, name)!r}, prdc {float(value)!r}")
            assert getattr(found, name) == pytest.approx(value, rel=1e-6)
    capsys.readouterr()
    print("\n".join(lines))


def test_equal_sets_are_perfect_even_where_every_point_repeats() -> None:
    assert astuple(neighbourhood_metrics(REAL, REAL)) == pytest.approx((1, 1, 6 / 5, 1))
    shuffled = np.random.default_rng(0).permutation(REAL)
    assert astuple(neighbourhood_metrics(REAL, shuffled)) == pytest.approx((1, 1, 6 / 5, 1))
    repeated = np.repeat(REAL[:50], 12, axis=0)
    assert astuple(neighbourhood_metrics(repeated, repeated)) == pytest.approx((1, 1, 12 / 5, 1))
    one_point = np.zeros((20, 3))
    assert astuple(neighbourhood_metrics(one_point, one_point)) == pytest.approx((1, 1, 20 / 5, 1))
    assert frechet_distance_of(REAL, REAL) < 1e-10


def test_the_same_distribution_scores_what_theory_says() -> None:
    """Distances are exchangeable: density 1, coverage 1 - (n-1)...(n-k) / ((n+m-1)...(n+m-k)), for any distribution."""
    n, m, k = 900, 600, 3
    scores = [density_coverage(normal(n, 6, 2 * s) ** 3, normal(m, 6, 2 * s + 1) ** 3, k) for s in range(4)]
    density, coverage = np.mean(scores, axis=0)
    assert density == pytest.approx(1, abs=0.05)
    assert coverage == pytest.approx(1 - math.prod((n - i) / (n + m - i) for i in range(1, k + 1)), abs=0.02)


def test_shift_order_and_precision_of_the_features_change_nothing() -> None:
    fake = 1.3 * normal(500, D, 9).astype(np.float32) + REAL[:500].astype(np.float32)
    real = REAL.astype(np.float32)
    found = astuple(neighbourhood_metrics(real, fake))
    order = np.random.default_rng(0).permutation
    assert astuple(neighbourhood_metrics(order(real), order(fake))) == pytest.approx(found)
    assert astuple(neighbourhood_metrics(real.astype(float), fake.astype(float))) == pytest.approx(found)
    assert astuple(neighbourhood_metrics(real.astype(float) + 2.0**23, fake.astype(float) + 2.0**23)) == pytest.approx(
        found
    )


# Modes


def test_modes_are_counted_and_compared() -> None:
    found = mode_coverage(np.array([0, 0, 1, 1]), reference=[10, 5, 5])
    assert (found.covered, found.classes, found.confident) == (2, 3, None)
    assert found.divergence == pytest.approx(0.5 * math.log(0.5 / 0.5) + 0.5 * math.log(0.5 / 0.25))
    assert mode_coverage(LABELS, EVEN).divergence == 0
    reverse = mode_coverage(np.array([0] * 2 + [1] + [2]), reference=[2, 2, 1])
    assert reverse.divergence == pytest.approx(0.5 * math.log(5 / 4) + 0.25 * math.log(5 / 8) + 0.25 * math.log(5 / 4))


def test_confidence_is_the_largest_softmax() -> None:
    logits = np.log([[0.9, 0.05, 0.05], [0.3, 0.3, 0.4], [0.0005, 0.0005, 0.999]])
    logits += np.array([[1000.0], [-1000.0], [0.0]])
    assert mode_coverage(logits, [1, 1, 1], threshold=0.899).confident == pytest.approx(2 / 3)
    assert mode_coverage(logits, [1, 1, 1], threshold=0.901).confident == pytest.approx(1 / 3)
    assert mode_coverage(logits.astype(np.float32), [1, 1, 1], threshold=0.35).confident == 1
    assert mode_coverage(logits, [1, 1, 1]).covered == 2


def test_stacked_mnist_has_the_floor_that_sampling_explains() -> None:
    """Half of (classes - 1) / n for labels that are drawn from the reference itself."""
    labels = np.random.default_rng(0).integers(0, 1000, 26_000)
    assert mode_coverage(labels, np.ones(1000)).divergence == pytest.approx(999 / 52_000, rel=0.15)


def test_label_accuracy() -> None:
    assert label_accuracy(np.array([[1.0, 2.0], [3.0, 0.0], [0.0, 1.0], [0.0, 1.0]]), [1, 0, 1, 0]) == 0.75
    assert label_accuracy([1, 2], [1, 2]) == 1


# What goes wrong in generators, and what shows it


def test_a_missing_class_shows_in_modes_recall_and_coverage() -> None:
    fake = Clusters().of(np.arange(600) % 9, seed=2)
    distance, found = judged(fake)
    modes = mode_coverage(Clusters().logits(fake), EVEN)
    assert (modes.covered, modes.classes) == (9, 10)
    assert modes.divergence == pytest.approx(math.log(10 / 9), rel=0.05)
    assert found.precision == pytest.approx(CEILING.precision, abs=0.05)
    assert found.recall == pytest.approx(CEILING.recall - 0.1, abs=0.05)
    assert found.coverage == pytest.approx(CEILING.coverage - 0.1, abs=0.05)
    assert distance > 5 * FLOOR


def test_one_prototype_a_class_shows_in_recall_and_coverage_only() -> None:
    prototypes = Clusters().of(np.arange(CLASSES), seed=3)[LABELS]
    nearly = prototypes + 1e-3 * normal(*prototypes.shape)
    for collapsed in (prototypes, nearly):
        modes = mode_coverage(Clusters().logits(collapsed), EVEN)
        assert (modes.covered, modes.divergence, modes.confident) == (CLASSES, 0, 1)
        distance, found = judged(collapsed)
        assert found.precision >= 0.6
        assert found.recall == 0
        assert found.coverage < 0.3
        assert distance > 5 * FLOOR
    assert CEILING.recall > 0.9
    assert CEILING.coverage > 0.9


def test_copies_of_a_few_real_images_reach_those_and_no_more() -> None:
    copied = neighbourhood_metrics(REAL, REAL[:CLASSES][LABELS])
    assert copied.precision == 1
    assert copied.recall == pytest.approx(CLASSES / len(REAL))
    assert copied.coverage < 0.2


def test_averaged_images_lose_recall_and_noise_loses_precision() -> None:
    """Blur pulls features towards the mean of their class: plausible, without variety. Noise does the reverse."""
    blurred, noisy = (Clusters().of(LABELS, 2, spread) for spread in (0.6, 2.5))
    (blur, soft), (noise, rough) = judged(blurred), judged(noisy)
    assert min(blur, noise) > 3 * FLOOR
    assert soft.precision > CEILING.precision
    assert soft.density > 1.5 * CEILING.density
    assert soft.recall < CEILING.recall - 0.3
    assert rough.precision < CEILING.precision - 0.5
    assert rough.density < 0.2 * CEILING.density
    assert rough.coverage < CEILING.coverage - 0.3
    sure, unsure = (mode_coverage(Clusters().logits(x), EVEN, 0.999).confident or 0 for x in (blurred, noisy))
    assert sure > unsure + 0.1


def test_blur_noise_and_a_missing_digit_move_every_distance_on_real_digits() -> None:
    data = load_dataset("mnist", "test")
    pixels = data.images[:2000, :, :, 0] / 255.0
    real, half = pixels[:1000], pixels[1000:]
    project = normal(28 * 28, 32) / 28
    blurred = np.mean([np.roll(half, (dy, dx), (1, 2)) for dy in (-1, 0, 1) for dx in (-1, 0, 1)], axis=0)
    changed = {
        "none": half,
        "blur": blurred,
        "noise": half + 0.4 * np.random.default_rng(0).standard_normal(half.shape),
        "no ones": half[data.labels[1000:2000] != 1],
    }
    features = {name: images.reshape(len(images), -1) @ project for name, images in changed.items()}
    reference = real.reshape(len(real), -1) @ project
    frechet = {name: frechet_distance_of(x, reference) for name, x in features.items()}
    kernel = {name: kernel_distance(x, reference, 10, 500).mean for name, x in features.items()}
    for name in ("blur", "noise", "no ones"):
        assert frechet[name] > 1.5 * frechet["none"], (name, frechet)
        assert kernel[name] > kernel["none"] + 1e-4, (name, kernel)


# Bad input


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("metric", [frechet_distance_of, kernel_distance, neighbourhood_metrics])
def test_features_that_are_not_finite_are_an_error(metric: Callable[..., object], bad: float) -> None:
    spoilt = REAL.copy()
    spoilt[3, 1] = bad
    for pair in (REAL, spoilt), (spoilt, REAL):
        with pytest.raises(InputError, match="1 of 600 rows have values that are not finite"):
            metric(*pair)


@pytest.mark.parametrize("n", [1, 2, D])
def test_too_few_samples_are_an_error_and_not_a_number(n: int) -> None:
    for pair in (REAL[:n], REAL), (Moments.of(REAL), Moments.of(REAL[:n])):
        with pytest.raises(InputError, match=f"{n} images: a Frechet distance in 12 dimensions needs at least 13"):
            frechet_distance_of(*pair)
    assert frechet_distance_of(REAL[: D + 1], REAL) > 0
    with pytest.raises(InputError, match="one row has no covariance"):
        _ = Moments.of(REAL[:1]).covariance


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        (lambda: Moments.of(np.ones(5)), r"the shape is \(5,\)"),
        (lambda: Moments.of(np.ones((0, 5))), r"the shape is \(0, 5\)"),
        (lambda: Moments.of(np.array([["a"]])), "features are real numbers"),
        (lambda: Moments.over([]), "there are none"),
        (lambda: Moments.of(REAL) + Moments.of(REAL[:, :3]), "12 and 3 dimensions"),
        (lambda: frechet_distance_of(REAL, REAL[:, :3]), "12 and 3 dimensions"),
        (lambda: frechet_distance([0, 0], np.eye(3), [0, 0], np.eye(2)), r"must be \[d\] and \[d, d\]"),
        (lambda: frechet_distance([0, np.nan], np.eye(2), [0, 0], np.eye(2)), "not finite"),
        (lambda: frechet_distance([0, 0], [[1, 0.5], [0, 1]], [0, 0], np.eye(2)), "not symmetric"),
        (lambda: frechet_distance([0, 0], [[1, 0], [0, -1]], [0, 0], np.eye(2)), "a negative variance, -1"),
        (lambda: kernel_distance(REAL, REAL[:, :3]), "3 values a row where features a have 12"),
        (lambda: kernel_distance(REAL, REAL[:99], subset_size=100), "subsets of 100: the sets have 600 and 99 rows"),
        (lambda: kernel_distance(REAL, REAL, subset_size=1), "a size from 2"),
        (lambda: kernel_distance(REAL, REAL, subsets=0, subset_size=9), "0 subsets"),
        (lambda: kernel_distance(REAL, REAL, subset_size=9, seed=-1), "seed -1"),
        (lambda: neighbourhood_metrics(REAL, REAL[:, :3]), "fake features: 3 values a row"),
        (lambda: neighbourhood_metrics(REAL[:5], REAL), "k = 5: 5 real images have neighbours 1 to 4"),
        (lambda: neighbourhood_metrics(REAL, REAL[:5]), "k = 5: 5 fake images have neighbours 1 to 4"),
        (lambda: neighbourhood_metrics(REAL, REAL, k=0), "k = 0"),
        (lambda: neighbourhood_metrics(REAL, REAL, 5, np.ones(3)), r"600 rows have \[600\]"),
        (lambda: mode_coverage([0, 7], [1, 1]), "label 7: the reference has the classes 0 to 1"),
        (lambda: mode_coverage([-1], [1, 1]), "labels count from 0"),
        (lambda: mode_coverage([0.5], [1, 1]), r"integers \[n\]"),
        (lambda: mode_coverage(np.zeros(0, int), [1, 1]), r"integers \[n\]"),
        (lambda: mode_coverage(np.ones((2, 3)), [1, 1]), "logits of 3 classes: the reference has 2"),
        (lambda: mode_coverage([[np.nan, 0.0]], [1, 1]), "logits: 1 of 1 rows"),
        (lambda: mode_coverage([0], [1, 0]), "class 1 has the frequency 0"),
        (lambda: mode_coverage([0], [np.nan, 1]), "class 0 has the frequency nan"),
        (lambda: mode_coverage([0], []), "one frequency for each class"),
        (lambda: mode_coverage([0], [1], threshold=1.1), "threshold 1.1"),
        (lambda: label_accuracy([1, 2], [1]), "1 labels for 2 predictions"),
    ],
)
def test_bad_input_is_named(wrong: Callable[[], object], reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        wrong()


def test_nearest_neighbours_read_labels_as_a_search_of_all_pairs_does() -> None:
    rng = np.random.default_rng(0)
    known, asked = rng.normal(size=(2500, 7)).astype(np.float32), rng.normal(size=(1300, 7)).astype(np.float32)
    known_labels, asked_labels = rng.integers(0, 5, 2500), rng.integers(0, 5, 1300)
    nearest = ((asked[:, None] - known[None]) ** 2).sum(2).argmin(1)
    expected = float(np.mean(known_labels[nearest] == asked_labels))
    assert nearest_neighbour_accuracy(known, known_labels, asked, asked_labels) == expected
    assert nearest_neighbour_accuracy(known, known_labels, known, known_labels) == 1.0
    with pytest.raises(InputError, match="each row has one"):
        nearest_neighbour_accuracy(known, known_labels[1:], asked, asked_labels)
