"""The feature network that ships for images of any kind."""

import numpy as np
import pytest
from numpy.typing import NDArray

from gan_runtime.evaluation.features import FeatureNetwork
from gan_runtime.evaluation.networks import general_features
from gan_runtime.manifest import ImageAxes, ImageSize, read_manifest


@pytest.fixture(scope="module")
def network() -> FeatureNetwork:
    return FeatureNetwork.load(general_features(), "cpu", threads=1)


def images(n: int, h: int, w: int, c: int) -> NDArray[np.uint8]:
    """Smooth pictures: a few waves of random directions and colours."""
    rng = np.random.default_rng(0)
    y, x = np.meshgrid(np.linspace(0, 1, h), np.linspace(0, 1, w), indexing="ij")
    frequency, phase = rng.uniform(1, 6, (2, n, c, 1, 1)), rng.uniform(0, 6.3, (n, c, 1, 1))
    waves = np.sin(2 * np.pi * (frequency[0] * y + frequency[1] * x) + phase)
    return np.rint(127.5 + 120 * waves).astype(np.uint8).transpose(0, 2, 3, 1)


def measured(network: FeatureNetwork, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    return network.measure(iter([pixels])).features


def test_it_is_small_needs_no_classes_and_says_where_it_comes_from(network: FeatureNetwork) -> None:
    assert (network.name, network.dim, network.classes) == ("any", 80, 0)
    assert network.size == ImageAxes()
    assert not isinstance(network.size, ImageSize)
    assert len(network.model.content) < 4e6
    assert network.model.opset == 17
    manifest = read_manifest(network.model)
    assert manifest is not None
    assert set(manifest.training["data"]) == {"google", "twitter", "photos", "mnist", "fashion-mnist"}
    assert all(source["licence"] for source in manifest.training["data"].values())


@pytest.mark.parametrize("size", [(8, 8, 3), (28, 28, 1), (65, 9, 1), (64, 64, 3), (256, 200, 3)])
def test_it_takes_images_of_any_size(network: FeatureNetwork, size: tuple[int, int, int]) -> None:
    found = measured(network, images(5, *size))
    assert found.shape == (5, 80)
    assert np.isfinite(found).all()


def test_grey_images_have_the_features_of_the_same_ones_in_rgb(network: FeatureNetwork) -> None:
    grey = images(4, 30, 40, 1)
    np.testing.assert_allclose(measured(network, grey), measured(network, np.repeat(grey, 3, 3)), atol=1e-3, rtol=1e-3)


def test_it_sees_growing_noise_and_does_not_mind_the_resolution(network: FeatureNetwork) -> None:
    pixels, rng = images(20, 64, 64, 3), np.random.default_rng(1)
    clean = measured(network, pixels)
    moved = []
    for strength in (5, 20, 60):
        noisy = np.clip(pixels + strength * rng.standard_normal(pixels.shape), 0, 255).astype(np.uint8)
        moved.append(np.linalg.norm(measured(network, noisy) - clean, axis=1).mean())
    assert moved == sorted(moved)
    larger = np.linalg.norm(measured(network, images(20, 128, 128, 3)) - clean, axis=1).mean()
    assert larger < moved[1] / 2
