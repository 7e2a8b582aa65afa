"""The networks of StyleGAN2 beside formulas, scipy, finite differences, and numbers that the authors' code gave."""

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from helpers import DIGIT
from scipy.signal import upfirdn
from stylegan2_weights import fill, numbers
from torch import Tensor
from torch.autograd import gradcheck, gradgradcheck
from torch.nn.functional import conv2d, conv_transpose2d, leaky_relu, linear, one_hot

from gan_runtime.errors import InputError
from gan_runtime.manifest import ImageSize
from gan_trainer.networks.stylegan2 import Mapping, StyleDiscriminator, StyleGenerator, Synthesis, grid_channels
from gan_trainer.networks.stylegan2.canvas import canvas_side, centre, grids, on_canvas
from gan_trainer.networks.stylegan2.equalised import EqualisedConv, EqualisedLinear
from gan_trainer.networks.stylegan2.modulated import ModulatedConv, ToImage
from gan_trainer.networks.stylegan2.resample import Smooth, double

TAPS = np.array([1.0, 3.0, 3.0, 1.0]) / 8


def new_pair(
    size: ImageSize, width: int = 4, most: int = 8, dims: tuple[int, int] = (6, 6), layers: int = 2, classes: int = 0
) -> tuple[StyleGenerator, StyleDiscriminator]:
    channels = grid_channels(size, width, most)
    mapping = Mapping(dims[0], classes, dims[1], layers, 0.01)
    generator = StyleGenerator(mapping, Synthesis(size, dims[1], channels), dims[1])
    return generator, StyleDiscriminator(size, channels, classes, 8, 0.01)


AUTHORS = json.loads((Path(__file__).parents[1] / "fixtures" / "stylegan2.json").read_text())


@pytest.mark.parametrize("case", AUTHORS, ids=lambda case: f"{case['size']} pixels")
def test_the_same_weights_give_what_the_authors_code_gives(case: dict[str, Any]) -> None:
    """stylegan2-ada-pytorch with its reference operators on a CPU."""
    side, channels, classes = case["size"], case["channels"], case["classes"]
    size, widths = ImageSize(side, side, channels), (case["width"], case["most"])
    generator, discriminator = new_pair(size, *widths, case["dims"], case["mapping_layers"], classes)
    fill(generator, "generator")
    fill(discriminator, "discriminator")
    labels = torch.arange(4) % classes if classes else None
    latents = numbers("latents", 4, case["dims"][0])
    with torch.no_grad():
        found = {
            "images": some(generator(latents, labels)),
            "truncated": some(generator(latents, labels, torch.tensor([0.5]))),
            "logits": discriminator(numbers("images", 4, channels, side, side), labels),
        }
    for name, values in found.items():
        torch.testing.assert_close(values, torch.tensor(case[name]), atol=1e-4, rtol=1e-5)


def some(images: Tensor) -> Tensor:
    """Five values of each image, and their mean and deviation."""
    flat = images.flatten(1)
    chosen = flat[:, torch.linspace(0, flat.shape[1] - 1, 5).long()]
    return torch.cat([chosen.flatten(), images.mean()[None], images.std()[None]])


# Sizes


@pytest.mark.parametrize(
    ("size", "side"), [((28, 28), 32), ((8, 8), 8), ((5, 3), 8), ((64, 64), 64), ((65, 20), 128), ((1024, 7), 1024)]
)
def test_images_are_the_centre_of_a_canvas(size: tuple[int, int], side: int) -> None:
    shape = ImageSize(*size, 3)
    assert canvas_side(shape) == side
    images = torch.rand(2, 3, *size) + 1
    canvas = on_canvas(images, side)
    assert canvas.shape == (2, 3, side, side)
    assert torch.equal(centre(canvas, shape), images)
    assert canvas.sum().item() == pytest.approx(images.sum().item(), rel=1e-5)  # zeros around them
    top, left = ((side - length) // 2 for length in size)
    assert torch.equal(canvas[:, :, top, left], images[:, :, 0, 0])


def test_larger_images_are_refused() -> None:
    with pytest.raises(InputError, match="1025 x 8 pixels: stylegan2 draws at most 1024 x 1024; give a smaller --size"):
        canvas_side(ImageSize(1025, 8, 3))


def test_channels_double_up_to_a_limit() -> None:
    assert grids(64) == [4, 8, 16, 32, 64]
    assert grid_channels(ImageSize(64, 64, 3), 32, 128) == {4: 128, 8: 128, 16: 64, 32: 32, 64: 16}
    assert grid_channels(DIGIT, 2, 512) == {4: 8, 8: 4, 16: 2, 32: 1}


@pytest.mark.parametrize("size", [ImageSize(28, 28, 1), ImageSize(20, 9, 3), ImageSize(64, 64, 3)], ids=str)
@pytest.mark.parametrize("classes", [0, 3])
def test_sizes_of_networks(size: ImageSize, classes: int) -> None:
    generator, discriminator = new_pair(size, classes=classes)
    labels = torch.arange(4) % classes if classes else None
    side = canvas_side(size)
    assert generator.layers == 2 * math.log2(side) - 2
    assert generator.noise_dim == 16 + 2 * sum(grid**2 for grid in grids(side)[1:])
    assert (generator.w_dim, generator.latent_dim, generator.classes, generator.size) == (6, 6, classes, size)
    images = generator(torch.randn(4, 6), labels)
    assert images.shape == (4, size.channels, size.height, size.width)
    assert discriminator(images, labels).shape == (4,)


# Layers


def test_weights_begin_as_in_the_paper() -> None:
    torch.manual_seed(0)
    generator, discriminator = new_pair(ImageSize(16, 16, 3), 16, 64, (32, 32), classes=5)
    for name, value in [*generator.named_parameters(), *discriminator.named_parameters()]:
        if name.endswith("affine.bias"):
            assert bool((value == 1).all()), name
        elif name.endswith(("bias", "noise_strength")):
            assert bool((value == 0).all()), name
        else:
            expected = 100.0 if "mapping.layers" in name else 1.0
            few = 4 / math.sqrt(2 * value.numel())
            assert value.std().item() == pytest.approx(expected, rel=few), name
    assert generator.w_mean.abs().max() == 0
    assert generator.synthesis.constant_noise.std().item() == pytest.approx(1.0, rel=0.1)


def test_an_equalised_layer_scales_when_it_is_used() -> None:
    torch.manual_seed(0)
    layer, x = EqualisedLinear(64, 500, rate=0.1, active=True), torch.randn(200, 64)
    layer.bias.data.normal_()
    expected = leaky_relu(linear(x, layer.weight * 0.1 / 8, layer.bias * 0.1), 0.2) * math.sqrt(2)
    torch.testing.assert_close(layer(x), expected)
    assert layer(x).square().mean().item() == pytest.approx(1.0, abs=0.1)  # the size of its input
    conv, grid = EqualisedConv(8, 6, 3, gain=0.5), torch.randn(2, 8, 5, 5)
    conv.bias.data.normal_()
    expected = leaky_relu(conv2d(grid, conv.weight / math.sqrt(72), conv.bias, padding=1), 0.2) * math.sqrt(2) * 0.5
    torch.testing.assert_close(conv(grid), expected)


def test_labels_are_one_hot_rows() -> None:
    layer, labels = EqualisedLinear(7, 5), torch.tensor([3, 0, 6])
    layer.bias.data.normal_()
    torch.testing.assert_close(layer.of_labels(labels), layer(one_hot(labels, 7).float()))


def test_latents_and_labels_are_normalised_one_by_one() -> None:
    mapping, latents, labels = Mapping(6, 4, 5, 2, 0.01), torch.randn(3, 6), torch.tensor([1, 2, 3])
    torch.testing.assert_close(mapping(7 * latents, labels), mapping(latents, labels))
    rows = mapping.embed.of_labels(labels)
    known = [x / x.square().mean(1, keepdim=True).sqrt() for x in (latents, rows)]
    torch.testing.assert_close(mapping(latents, labels), mapping.layers(torch.cat(known, 1)))


def test_labels_alone() -> None:
    mapping = Mapping(0, 4, 5, 2, 0.01)
    assert mapping(None, torch.tensor([1, 3])).shape == (2, 5)


@pytest.mark.parametrize("n", [1, 3])
@pytest.mark.parametrize("doubling", [False, True])
def test_scaled_activations_are_modulated_weights(n: int, doubling: bool) -> None:
    """Equations 1 and 3 literally: weights of each image, and a convolution with a group for each image."""
    torch.manual_seed(0)
    layer = ModulatedConv(5, 4, 6, doubling=doubling).double()
    for value in layer.parameters():
        value.data.normal_()
    x, style = torch.randn(n, 5, 8, 8).double(), torch.randn(n, 6).double()
    noise = torch.randn(n, 1, *[16 if doubling else 8] * 2).double()
    scaled = layer.weight[None] * layer.affine(style)[:, None, :, None, None]
    weights = scaled / (scaled.square().sum((2, 3, 4), keepdim=True) + 1e-8).sqrt()
    together = x.reshape(1, 5 * n, 8, 8)
    if doubling:
        grouped = conv_transpose2d(together, weights.transpose(1, 2).reshape(5 * n, 4, 3, 3), stride=2, groups=n)
        grouped = layer.smooth(grouped.reshape(n, 4, 17, 17))
    else:
        grouped = conv2d(together, weights.reshape(4 * n, 5, 3, 3), padding=1, groups=n).reshape(n, 4, 8, 8)
    expected = grouped + layer.noise_strength * noise + layer.bias[:, None, None]
    torch.testing.assert_close(layer(x, style, noise), math.sqrt(2) * leaky_relu(expected, 0.2))


def test_features_become_images_by_weights_that_are_not_demodulated() -> None:
    layer = ToImage(5, 3, 6).double()
    x, style = torch.randn(2, 5, 4, 4).double(), torch.randn(2, 6).double()
    layer.bias.data.normal_()
    rows = [
        conv2d(one[None], layer.weight * scale[:, None, None] / math.sqrt(5), layer.bias)
        for one, scale in zip(x, layer.affine(style), strict=True)
    ]
    torch.testing.assert_close(layer(x, style), torch.cat(rows))


def test_features_are_clamped_where_asked() -> None:
    size, widths = ImageSize(8, 8, 3), {4: 4, 8: 4}
    torch.manual_seed(0)
    free, clamped = (Synthesis(size, 6, widths, clamp=clamp) for clamp in (0.0, 0.5))
    clamped.load_state_dict(free.state_dict())
    styles = torch.randn(2, 4, 6)
    assert free.eval()(styles).abs().max() > 1.0
    assert clamped.eval()(styles).abs().max() <= 1.0 + 1e-6  # two grids, each at most 0.5


def test_a_network_without_noise_draws_the_same_in_training() -> None:
    size, widths = ImageSize(8, 8, 3), {4: 4, 8: 4}
    torch.manual_seed(0)
    plain = Synthesis(size, 6, widths, noisy=False)
    noisy = Synthesis(size, 6, widths)
    noisy.load_state_dict({name: x for name, x in plain.state_dict().items() if x.numel()}, strict=False)
    styles = torch.randn(2, 4, 6)
    assert (plain.noise_dim, plain.layers, noisy.layers) == (0, 4, 4)
    torch.testing.assert_close(plain.train()(styles), plain.eval()(styles), rtol=0, atol=0)
    torch.testing.assert_close(plain(styles), noisy.eval()(styles))  # strengths begin at 0
    assert not [name for name, _ in plain.named_parameters() if "noise" in name]


# The filter


def filtered(x: np.ndarray, gain: float, up: int, down: int) -> np.ndarray:
    """scipy's up-sampling, filter and down-sampling of both axes, in full length."""
    for axis in (2, 3):
        x = upfirdn(TAPS, x, up, down, axis=axis)
    return gain * x


@pytest.mark.parametrize("margin", [1, 2])
@pytest.mark.parametrize("size", [(8, 8), (5, 7)])
def test_the_filter_is_that_of_scipy(margin: int, size: tuple[int, int]) -> None:
    x = torch.randn(2, 3, *size).double()
    smooth = Smooth(3, margin, 2.0).double()
    cut = 3 - margin  # scipy's full length has a margin of 3
    expected = filtered(x.numpy(), 2.0, 1, 1)[:, :, cut:-cut, cut:-cut]
    np.testing.assert_allclose(smooth(x).numpy(), expected, atol=1e-12)


def test_doubled_images_are_those_of_scipy() -> None:
    x = torch.randn(2, 3, 5, 6).double()
    full = filtered(x.numpy(), 4.0, 2, 1)  # of 2 n + 2 rows: one before and one behind
    np.testing.assert_allclose(double(x).numpy(), full[:, :, 1:-1, 1:-1], atol=1e-12)


def test_halved_grids_are_those_of_scipy() -> None:
    x, layer = torch.randn(2, 3, 8, 6).double(), EqualisedConv(3, 3, 1, halving=True, active=False).double()
    layer.weight.data.copy_(torch.eye(3)[:, :, None, None] * math.sqrt(3))
    full = filtered(x.numpy(), 1.0, 1, 1)
    np.testing.assert_allclose(layer(x).detach().numpy(), full[:, :, 2:-2:2, 2:-2:2][:, :, :4, :3], atol=1e-12)


def test_the_filter_can_be_differentiated_twice() -> None:
    for margin in (1, 2):
        smooth = Smooth(2, margin).double()
        x = torch.randn(2, 2, 5, 6, dtype=torch.float64, requires_grad=True)
        assert gradcheck(smooth, x)
        assert gradgradcheck(smooth, x)


# Whole networks


def test_networks_can_be_differentiated_twice() -> None:
    """By styles as path lengths need it, and by images as R1 does."""
    torch.manual_seed(0)
    generator, discriminator = (network.double().eval() for network in new_pair(ImageSize(8, 8, 1), 2, 2, (3, 3)))
    for layer in generator.modules():
        if isinstance(layer, ModulatedConv):
            layer.noise_strength.data.fill_(0.3)
    styles = torch.randn(2, 4, 3, dtype=torch.float64, requires_grad=True)
    assert gradgradcheck(generator.synthesis, styles, atol=1e-4)
    images = torch.randn(4, 1, 8, 8, dtype=torch.float64, requires_grad=True)
    assert gradgradcheck(lambda x: discriminator(x).sum(), images, atol=1e-4, fast_mode=True)


def test_second_derivatives_reach_the_weights() -> None:
    generator, discriminator = new_pair(ImageSize(8, 8, 3))
    images = torch.randn(4, 3, 8, 8, requires_grad=True)
    (slope,) = torch.autograd.grad(discriminator(images).sum(), images, create_graph=True)
    slope.square().sum().backward()
    assert discriminator.blocks[0].down.weight.grad.abs().max() > 0
    styles = generator.styles(torch.randn(4, 6))
    (slope,) = torch.autograd.grad(generator.synthesis(styles).sum(), styles, create_graph=True)
    slope.square().sum().backward()
    assert all(weight.grad is not None for name, weight in generator.named_parameters() if "weight" in name)


def test_truncation_moves_styles_towards_their_mean() -> None:
    generator = fill(new_pair(ImageSize(8, 8, 1))[0], "generator")
    latents = torch.randn(3, 6)
    whole = generator.styles(latents)
    torch.testing.assert_close(generator.styles(latents, None, torch.ones(1)), whole)
    mean = generator.w_mean.expand(3, 4, 6)
    torch.testing.assert_close(generator.styles(latents, None, torch.zeros(1)), mean)
    each = generator.styles(latents, None, torch.tensor([0.0, 0.5, 2.0]))
    torch.testing.assert_close(each[1], (whole[1] + mean[1]) / 2)
    torch.testing.assert_close(each[2], 2 * whole[2] - mean[2])
    torch.testing.assert_close(generator.synthesis(each), generator(latents, None, torch.tensor([0.0, 0.5, 2.0])))


def test_noise_is_new_in_training_constant_later_or_as_given() -> None:
    generator = fill(new_pair(ImageSize(16, 16, 3))[0], "generator")
    latents = torch.randn(2, 6)
    baked = generator(latents)
    assert torch.equal(baked, generator(latents))
    constant = generator.synthesis.constant_noise[None]
    torch.testing.assert_close(generator(latents, noise=constant), baked)
    torch.testing.assert_close(generator(latents, noise=constant.expand(2, -1)), baked)
    noise = torch.randn(2, generator.noise_dim)
    found = generator(latents, noise=noise)
    torch.testing.assert_close(found[1:], generator(latents[1:], noise=noise[1:]))
    assert (found - baked).abs().max() > 0.1
    generator.train()
    assert not torch.equal(generator(latents), generator(latents))


def test_an_image_does_not_depend_on_its_batch() -> None:
    generator = fill(new_pair(ImageSize(16, 16, 3), classes=3)[0], "generator")
    latents, labels = torch.randn(5, 6), torch.arange(5) % 3
    torch.testing.assert_close(generator(latents, labels)[2:3], generator(latents[2:3], labels[2:3]))


def test_groups_of_four_share_a_deviation() -> None:
    discriminator = fill(new_pair(ImageSize(8, 8, 1))[1], "discriminator")
    images = torch.randn(8, 1, 8, 8)
    torch.testing.assert_close(discriminator(images)[4:], discriminator(images[4:]))
    alike = discriminator(images[:1].expand(4, -1, -1, -1))
    assert not torch.allclose(alike[:1], discriminator(images)[:1], atol=1e-3)


def test_the_mean_style_is_tracked() -> None:
    generator, _ = new_pair(ImageSize(8, 8, 1))
    rows = torch.randn(10, 6)
    generator.track_mean(rows, 0.25)
    torch.testing.assert_close(generator.w_mean, 0.25 * rows.mean(0))
    generator.track_mean(rows, 0.25)
    torch.testing.assert_close(generator.w_mean, (0.25 + 0.75 * 0.25) * rows.mean(0))


def test_a_size_that_is_no_square() -> None:
    size = replace(DIGIT, height=20, width=30)
    generator, discriminator = new_pair(size)
    assert discriminator(generator(torch.randn(4, 6))).shape == (4,)
