"""Features for images of any kind: the parts of the network, and its training."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import conv2d, interpolate

from gan_runtime.errors import InputError, ModelError
from gan_runtime.evaluation.networks import general_features
from gan_runtime.manifest import ImageAxes
from gan_runtime.model_file import ModelFile, read_model_file
from gan_runtime.models import shipped_features
from gan_trainer.export.onnx_file import ExportError
from gan_trainer.export.parity import file_rows
from gan_trainer.features.contrastive import Contrast, Source, nt_xent, train_general_features
from gan_trainer.features.export import export_features
from gan_trainer.features.general import GeneralFeatures, principal_projection
from gan_trainer.features.restore import load_features_module
from gan_trainer.features.views import DISTORTIONS, distorted, random_views
from gan_trainer.features.wavelets import ORIENTATIONS, PERIOD, gabor_filters
from gan_trainer.networks.resize import Resize, antialiased_bilinear

SHORT = Contrast(steps=3, batch_size=16, fitted=100)


def images(n: int, h: int, w: int, c: int, seed: int = 0) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (n, h, w, c), dtype=np.uint8)


@pytest.fixture(scope="module")
def sources() -> list[Source]:
    labels = np.arange(200) % 4
    digits = (images(200, 28, 28, 1) * (labels / 3).reshape(-1, 1, 1, 1)).astype(np.uint8)
    return [Source(digits, labels, mirror=False), Source(images(150, 40, 60, 3))]


@pytest.fixture(scope="module")
def network(sources: list[Source]) -> GeneralFeatures:
    return train_general_features(sources, SHORT)


@pytest.mark.parametrize("size", [(8, 9), (28, 28), (50, 77), (64, 64), (65, 200), (333, 512)])
def test_resizing_is_that_of_torch_and_pillow(size: tuple[int, int]) -> None:
    pixels = torch.from_numpy(images(2, *size, 3)).permute(0, 3, 1, 2).float()
    expected = interpolate(pixels, (64, 64), mode="bilinear", antialias=True)
    torch.testing.assert_close(Resize(64, antialiased_bilinear)(pixels), expected, atol=1e-3, rtol=0)


def test_a_wavelet_answers_its_wave_with_the_amplitude_and_what_is_flat_with_nothing() -> None:
    filters = gabor_filters()
    x = torch.arange(40).float()
    for phase in (0.0, 1.0, 2.0):
        wave = 0.3 * torch.sin(2 * math.pi / PERIOD * x + phase).expand(1, 1, 40, 40)
        squares = conv2d(wave, filters).square()
        amplitudes = (squares[:, :ORIENTATIONS] + squares[:, ORIENTATIONS:]).sqrt().mean((0, 2, 3))
        assert amplitudes[0] == pytest.approx(0.3, rel=0.1)
        assert amplitudes[0] > 3 * amplitudes[2:5].max()
    assert conv2d(torch.ones(1, 1, 9, 9), filters).abs().max() < 1e-5


def test_a_projection_has_the_principal_components_of_standardised_values() -> None:
    values = torch.randn(500, 4, dtype=torch.double) * torch.tensor([5.0, 1.0, 1.0, 0.0]) + 7.0
    values[:, 1] = values[:, 0] / 5.0 + 0.1 * values[:, 2]
    weight, bias = principal_projection(values, 2)
    found = values.float() @ weight.T + bias
    torch.testing.assert_close(found.mean(0), torch.zeros(2), atol=1e-4, rtol=0)
    assert found.var(0).mean() == pytest.approx(1.0, rel=1e-3)
    assert found.var(0)[0] > 1.5 * found.var(0)[1]  # components keep their shares
    assert (weight[:, 3] == 0).all()  # what never varies does not count


def test_images_of_any_size_have_features_and_grey_is_colour_without_colour(network: GeneralFeatures) -> None:
    for n, h, w, c in [(1, 8, 8, 3), (3, 28, 28, 1), (2, 100, 61, 3)]:
        assert network(torch.from_numpy(images(n, h, w, c))).shape == (n, 80)
    grey = torch.from_numpy(images(4, 30, 30, 1))
    torch.testing.assert_close(network(grey), network(grey.expand(-1, -1, -1, 3)))


def test_features_vary_by_one_and_do_not_depend_on_the_batch(network: GeneralFeatures, sources: list[Source]) -> None:
    found = torch.cat([network(torch.from_numpy(source.images[:100])) for source in sources])
    for part, variance in zip(found.split([48, 32], dim=1), (1.0, 0.5), strict=True):
        assert 0.5 < part.var(0).mean() / variance < 2.0
    first = torch.from_numpy(sources[0].images[:5])
    torch.testing.assert_close(network(first)[2:3], network(first[2:3]), atol=1e-4, rtol=1e-4)


def test_gradients_reach_the_pixels_also_of_a_flat_image(network: GeneralFeatures) -> None:
    for image in (torch.rand(2, 3, 64, 64), torch.zeros(2, 3, 64, 64)):
        pixels = image.requires_grad_()
        network.measure(pixels).square().sum().backward()  # type: ignore[no-untyped-call]
        assert pixels.grad is not None
        assert torch.isfinite(pixels.grad).all()
        assert pixels.grad.abs().max() > 0


def test_the_same_seed_trains_the_same_network(network: GeneralFeatures, sources: list[Source]) -> None:
    again = train_general_features(sources, SHORT)
    for name, value in network.state_dict().items():
        torch.testing.assert_close(again.state_dict()[name], value, atol=0, rtol=0)


def test_the_losses_fall_and_training_goes_without_labels_and_distortions(sources: list[Source]) -> None:
    seen: list[dict[str, float]] = []
    train_general_features(
        sources[:1], Contrast(steps=12, batch_size=32, fitted=50), report=lambda _, losses: seen.append(losses)
    )
    assert len(seen) == 12
    assert set(seen[0]) == {"views", "kind", "strength", "origin"}
    assert sum(seen[-1].values()) < 0.9 * sum(seen[0].values())
    plain: list[dict[str, float]] = []
    recipe = Contrast(steps=1, batch_size=16, fitted=50, distortions=0.0)
    train_general_features(sources[1:], recipe, report=lambda _, losses: plain.append(losses))
    assert [set(losses) for losses in plain] == [{"views"}]


def test_too_few_images_are_refused() -> None:
    with pytest.raises(InputError, match="31 images: at least 32"):
        train_general_features([Source(images(31, 28, 28, 1))], SHORT)


def test_the_contrastive_loss_is_least_where_partners_are_alike_and_others_are_not() -> None:
    apart = torch.eye(8)
    assert nt_xent(torch.cat([apart, apart]), 0.2) < 0.1
    assert nt_xent(torch.cat([apart, apart.roll(1, 0)]), 0.2) > 3.0
    same = torch.ones(16, 8)
    assert nt_xent(same, 0.2) == pytest.approx(math.log(15), rel=1e-4)


def test_views_and_distortions_stay_pictures_and_the_first_kind_changes_nothing() -> None:
    torch.manual_seed(0)
    pixels = torch.rand(64, 3, 64, 64) * 2 - 1
    still = random_views(pixels, torch.zeros(64, dtype=torch.bool))
    assert still.shape == pixels.shape
    assert still.abs().max() <= 1.0
    changed, kinds, strengths = distorted(pixels)
    assert changed.abs().max() <= 1.0
    assert set(kinds.tolist()) == set(range(len(DISTORTIONS)))
    assert ((strengths >= 0) & (strengths <= 1)).all()
    difference = (changed - pixels).abs().mean((1, 2, 3))
    assert (difference[kinds == 0] == 0).all()
    assert (difference[kinds > 0] > 0).all()


@pytest.fixture(scope="module")
def exported(network: GeneralFeatures, tmp_path_factory: pytest.TempPathFactory) -> ModelFile:
    return export_features(network, tmp_path_factory.mktemp("general") / "mine.onnx", size=ImageAxes())


def test_the_file_takes_images_of_any_size_and_gives_what_torch_gives(
    network: GeneralFeatures, exported: ModelFile
) -> None:
    assert exported.opset == 17
    assert len(exported.content) < 4e6
    (port,) = exported.inputs
    assert all(not isinstance(axis, int) for axis in port.shape)
    assert [port.name for port in exported.outputs] == ["features"]
    measure = file_rows(exported, ["features"])
    for n, h, w, c in [(1, 8, 8, 3), (3, 28, 28, 1), (2, 333, 512, 3), (7, 64, 64, 3), (5, 65, 9, 1), (1, 1, 1, 3)]:
        pixels = images(n, h, w, c)
        expected = network(torch.from_numpy(pixels)).numpy()
        np.testing.assert_allclose(measure((pixels,))[0], expected, atol=1e-3, rtol=1e-4)


def test_the_module_comes_back_from_the_file(network: GeneralFeatures, exported: ModelFile) -> None:
    module = load_features_module(exported.path)
    for name, value in network.state_dict().items():
        torch.testing.assert_close(module.state_dict()[name], value, atol=0, rtol=0)
    pixels = images(3, 40, 50, 3)
    found = module(torch.from_numpy(pixels)).numpy()
    np.testing.assert_allclose(found, file_rows(exported, ["features"])((pixels,))[0], atol=1e-3, rtol=1e-4)
    assert not any(parameter.requires_grad for parameter in module.parameters())


def test_the_shipped_file_gives_its_module() -> None:
    path = general_features()
    module, pixels = load_features_module(path), images(3, 50, 40, 3)
    found = file_rows(read_model_file(path), ["features"])((pixels,))[0]
    np.testing.assert_allclose(module(torch.from_numpy(pixels)).numpy(), found, atol=1e-3, rtol=1e-4)


def test_files_of_other_networks_are_refused() -> None:
    mnist = shipped_features("mnist")
    assert mnist is not None
    with pytest.raises(ModelError, match=r"mnist\.onnx: is not a file of general features"):
        load_features_module(mnist)


class OfOneSize(GeneralFeatures):
    def forward(self, images: Tensor) -> Tensor:
        return super().forward(images) * int(images.shape[1])


def test_a_network_that_has_a_size_built_in_is_not_exported_for_any(network: GeneralFeatures, tmp_path: Path) -> None:
    fixed = OfOneSize()
    fixed.load_state_dict(network.state_dict())
    with pytest.raises(ExportError):
        export_features(fixed, tmp_path / "x.onnx", size=ImageAxes())
    assert not list(tmp_path.iterdir())
