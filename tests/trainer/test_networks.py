from dataclasses import replace

import pytest
import torch
from helpers import FROM_LATENTS
from torch import nn
from torch.nn.utils.parametrize import is_parametrized

from gan_runtime.errors import InputError
from gan_runtime.manifest import ImageSize
from gan_trainer.networks import BODIES
from gan_trainer.networks.assembly import Discriminator
from gan_trainer.networks.grid import coarse_grid
from gan_trainer.networks.layers import Dropout, MinibatchDeviation, Reshape
from gan_trainer.recipes.checks import changed
from gan_trainer.recipes.recipe import RECIPES
from gan_trainer.systems import new_networks
from gan_trainer.training.system import Shapes

SIZES = [ImageSize(side, side, channels) for side in (28, 32, 64) for channels in (1, 3)]


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("classes", [0, 7])
@pytest.mark.parametrize("name", FROM_LATENTS)
def test_networks_fit_each_other(name: str, classes: int, size: ImageSize) -> None:
    recipe = replace(RECIPES[name], width=8)
    networks = new_networks(recipe, Shapes(size, classes))
    generator, discriminator, encoder = (networks.get(name) for name in ("generator", "discriminator", "encoder"))
    assert generator is not None
    condition = (torch.arange(4),) if classes else ()
    images = generator(torch.randn(4, recipe.latent_dim), *condition)
    assert images.shape == (4, size.channels, size.height, size.width)
    assert images.abs().max() <= 1 or recipe.system == "stylegan2"  # it has no tanh
    codes = () if encoder is None else encoder(images)
    if recipe.system == "vae":
        assert codes.shape == (4, 2 * recipe.latent_dim)
        assert discriminator is None
    else:
        assert discriminator is not None
        assert discriminator(images, *([] if encoder is None else [codes]), *condition).shape == (4,)


@pytest.mark.parametrize("network", BODIES)
def test_every_network_has_a_generator_without_norm(network: str) -> None:
    networks = new_networks(replace(RECIPES["quick"], network=network, g_norm="none", width=8), Shapes(SIZES[0], 10))
    assert not [module for module in networks["generator"].modules() if "Norm" in type(module).__name__]


@pytest.mark.parametrize("conditional", [False, True])
@pytest.mark.parametrize("name", [name for name in FROM_LATENTS if RECIPES[name].system in ("gan", "bigan")])
def test_logits_are_no_probabilities(name: str, conditional: bool) -> None:
    """What the last layer says comes out: no sigmoid on the way, which would flatten losses and penalties."""
    recipe = changed(
        RECIPES[name], {"width": 8, "d_norm": "none", "penalty": "none", "penalty_weight": 0.0, "clip": 1.0}
    )
    networks = new_networks(recipe, Shapes(SIZES[0], 10 if conditional else 0))
    discriminator, encoder = networks["discriminator"], networks.get("encoder")
    assert isinstance(discriminator, Discriminator)
    images, labels = torch.randn(4, 1, 28, 28), (torch.arange(4),) if conditional else ()
    codes = () if encoder is None else (torch.randn(4, recipe.latent_dim),)
    zeros = [discriminator.head.weight, *discriminator.embedding.parameters()]
    for bias in (-100.0, 0.3, 100.0):
        with torch.no_grad():
            for weights in zeros:
                weights.zero_()
            discriminator.head.bias.fill_(bias)
            torch.testing.assert_close(discriminator(images, *codes, *labels), torch.full((4,), bias))


def test_the_deviation_of_four_images_is_one_more_channel() -> None:
    x = torch.randn(8, 3, 2, 5)
    seen = MinibatchDeviation()(x)
    assert torch.equal(seen[:, :3], x)
    for group in (slice(0, 4), slice(4, 8)):
        expected = x[group].var(0, unbiased=False).sqrt().mean()
        torch.testing.assert_close(seen[group, 3:], expected.expand(4, 1, 2, 5))
    assert MinibatchDeviation()(x[:6]).shape == (6, 4, 2, 5)
    assert MinibatchDeviation()(torch.ones(4, 3, 2, 2))[:, 3].max() < 1e-3, "pictures that repeat each other"


def test_real_and_generated_images_in_one_batch_do_not_see_each_other() -> None:
    recipe = replace(RECIPES["quick"], width=8, minibatch_std=True)
    discriminator = new_networks(recipe, Shapes(SIZES[0], 10))["discriminator"]
    assert discriminator is not None
    real, fake, labels = torch.randn(8, 1, 28, 28), torch.randn(8, 1, 28, 28), torch.arange(8)
    with torch.no_grad():
        together = discriminator(torch.cat([real, fake]), torch.cat([labels, labels]))
        apart = torch.cat([discriminator(images, labels) for images in (real, fake)])
        assert not torch.allclose(discriminator(real, labels), discriminator(real[:1].expand(8, -1, -1, -1), labels))
    torch.testing.assert_close(together, apart)


@pytest.mark.parametrize("conditional", [False, True])
@pytest.mark.parametrize("network", BODIES)
def test_spectral_norm_makes_the_largest_singular_value_of_every_weight_one(network: str, conditional: bool) -> None:
    torch.manual_seed(0)
    recipe = replace(RECIPES["hinge"], network=network, width=8)
    discriminator = new_networks(recipe, Shapes(SIZES[0], 10 if conditional else 0))["discriminator"]
    assert discriminator is not None
    labels = (torch.arange(4),) if conditional else ()
    with torch.no_grad():
        for _ in range(50):  # of one power iteration each
            discriminator(torch.randn(4, 1, 28, 28), *labels)
    weighted = [m for m in discriminator.modules() if isinstance(m, nn.Linear | nn.Conv2d | nn.Embedding)]
    assert len(weighted) >= 3
    for module in weighted:
        assert is_parametrized(module, "weight")
        assert isinstance(module.weight, torch.Tensor)
        assert torch.linalg.matrix_norm(module.weight.flatten(1), 2).item() == pytest.approx(1.0, abs=0.02)


@pytest.mark.parametrize("side", [8, 16, 40, 48, 128, 256])
def test_the_coarse_grid_is_small(side: int) -> None:
    grid, doublings = coarse_grid(side)
    assert grid * 2**doublings == side
    assert grid <= 8


def test_width_is_a_setting() -> None:
    recipes = [replace(RECIPES["quick"], width=width) for width in (16, 32)]
    generators = [new_networks(recipe, Shapes(SIZES[0], 10))["generator"] for recipe in recipes]
    narrow, wide = (sum(p.numel() for p in generator.parameters()) for generator in generators)
    assert narrow < wide == 244_420


def shapes(network: nn.Module) -> list[object]:
    names = {nn.Linear: "linear", nn.LeakyReLU: "leaky", nn.Tanh: "tanh", Dropout: "dropout"}
    found: list[object] = []
    for layer in network.modules():
        if isinstance(layer, nn.Linear):
            found.append((layer.in_features, layer.out_features))
        elif type(layer) in names:
            found.append(names[type(layer)])
    return found


def test_the_documents_networks_to_the_letter() -> None:
    generator, discriminator = new_networks(RECIPES["gan"], Shapes(SIZES[0])).values()
    assert shapes(generator) == [(100, 256), "leaky", (256, 512), "leaky", (512, 1024), "leaky", (1024, 784), "tanh"]
    expected = [
        (784, 1024),
        "leaky",
        "dropout",
        (1024, 512),
        "leaky",
        "dropout",
        (512, 256),
        "leaky",
        "dropout",
        (256, 1),
    ]
    assert shapes(discriminator) == expected
    slopes = [
        m.negative_slope for net in (generator, discriminator) for m in net.modules() if isinstance(m, nn.LeakyReLU)
    ]
    assert slopes == [0.2] * 6
    assert [m.probability for m in discriminator.modules() if isinstance(m, Dropout)] == [0.3] * 3


def test_the_documents_settings_to_the_letter() -> None:
    recipe = RECIPES["gan"]
    assert (recipe.latent_dim, recipe.batch_size, recipe.lr, recipe.betas) == (100, 128, 2e-4, (0.9, 0.999))
    assert recipe.images == 200 * 60_000
    assert recipe.log_every == 60_000
    assert recipe.preview_every == 600_000
    assert not recipe.share_passes
    assert (recipe.penalty, recipe.ema_half_life, recipe.decay_from) == ("none", 0, 1.0)


def test_an_unknown_network_is_refused() -> None:
    with pytest.raises(InputError, match="transformer"):
        new_networks(replace(RECIPES["gan"], network="transformer"), Shapes(SIZES[0]))


@pytest.mark.parametrize("size", [ImageSize(30, 30, 1), ImageSize(28, 32, 1), ImageSize(36, 36, 3)], ids=str)
def test_sizes_that_cannot_be_drawn_are_refused(size: ImageSize) -> None:
    with pytest.raises(InputError, match=f"{size.height} x {size.width} pixels"):
        new_networks(RECIPES["quick"], Shapes(size, 10))


def test_dropout_drops_the_share_it_should_and_keeps_the_mean() -> None:
    torch.manual_seed(0)
    layer, x = Dropout(0.3), torch.ones(1000, 1000)
    y = layer(x)
    dropped = (y == 0).float().mean().item()
    assert abs(dropped - 0.3) < 4 * (0.3 * 0.7 / 1e6) ** 0.5
    assert y.max().item() == pytest.approx(1 / 0.7)
    assert abs(y.mean().item() - 1) < 0.004
    assert abs(torch.corrcoef((y[:500] == 0).float()).fill_diagonal_(0)).max() < 0.2
    assert torch.equal(layer.eval()(x), x)


def test_dropout_takes_any_shape_and_passes_gradients() -> None:
    torch.manual_seed(0)
    x = torch.randn(3, 5, 7, requires_grad=True)
    y = Dropout(0.5)(x)
    y.sum().backward()
    assert torch.equal(x.grad, (y != 0).float() * 2)


def test_reshape_keeps_the_batch() -> None:
    assert Reshape(2, 3)(torch.zeros(5, 6)).shape == (5, 2, 3)
