"""L1, PSNR and SSIM: against scikit-image, by hand, and what they refuse."""

import numpy as np
import pytest

from gan_runtime.errors import InputError
from gan_runtime.evaluation.metrics import l1, psnr, ssim
from gan_runtime.evaluation.metrics.pixels import CLEAREST


def pictures(n: int, height: int, width: int, channels: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Smooth pictures, and the same with noise that grows from one to the next."""
    random = np.random.default_rng(seed)
    smooth = np.cumsum(random.normal(0, 6, (n, height, width, channels)), axis=2) + 128
    noise = random.normal(0, 1, smooth.shape) * np.geomspace(0.2, 60, n)[:, None, None, None]
    return (smooth + noise).clip(0, 255).astype(np.uint8), smooth.clip(0, 255).astype(np.uint8)


@pytest.mark.parametrize("shape", [(11, 11, 1), (11, 40, 3), (64, 64, 3), (33, 17, 4)])
def test_they_agree_with_scikit_image(shape: tuple[int, int, int]) -> None:
    metrics = pytest.importorskip("skimage.metrics", reason="scikit-image is a development dependency")
    noisy, clean = pictures(6, *shape)
    found = ssim(noisy, clean), psnr(noisy, clean)
    expected = [
        metrics.structural_similarity(
            x, y, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=255, channel_axis=-1
        )
        for x, y in zip(noisy, clean, strict=True)
    ]
    assert np.allclose(found[0], expected, rtol=0, atol=1e-9)
    ratios = [metrics.peak_signal_noise_ratio(y, x, data_range=255) for x, y in zip(noisy, clean, strict=True)]
    assert np.allclose(found[1], ratios, rtol=1e-12)


def test_a_known_difference_has_the_numbers_of_the_formulas() -> None:
    truth = np.full((2, 12, 12, 3), 100, np.uint8)
    brighter = truth + np.array([0, 51], np.uint8)[:, None, None, None]  # 51 = 255 / 5
    assert l1(brighter, truth).tolist() == [0, 51]
    assert psnr(brighter, truth) == pytest.approx([CLEAREST, 10 * np.log10(25)])
    mean = (2 * 100 * 151 + 2.55**2) / (100**2 + 151**2 + 2.55**2)  # pictures without variance: the first factor alone
    assert ssim(brighter, truth) == pytest.approx([1, mean])


def test_half_of_the_pixels_count_half() -> None:
    truth = np.zeros((1, 20, 20, 1), np.uint8)
    half = truth.copy()
    half[:, :10] = 255
    assert l1(half, truth) == pytest.approx([127.5])
    assert psnr(half, truth) == pytest.approx([10 * np.log10(2)])
    assert ssim(255 - half, half)[0] < 0.2


def test_arguments_that_are_no_pairs_of_pictures_are_refused() -> None:
    good = np.zeros((2, 12, 12, 3), np.uint8)
    for bad, words in (
        (good[:1], "equal shapes"),
        (good[..., :1], "equal shapes"),
        (good.astype(np.float32), "equal shapes"),
    ):
        with pytest.raises(InputError, match=words):
            l1(good, bad)
    for bad in (good.astype(np.float32), good[0], good[:0]):
        with pytest.raises(InputError, match="must be uint8"):
            psnr(bad, bad)
    with pytest.raises(InputError, match="at least 11 x 11"):
        ssim(good[:, :10], good[:, :10])
