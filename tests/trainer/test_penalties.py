"""Exact answers of the gradient penalties, and the mistakes that public code makes in them."""

import pytest
import torch
from helpers import DIGIT, new_generator
from torch import Tensor

from gan_trainer.losses.penalties import PENALTIES, gradient_penalty, penalty_at, penalty_points
from gan_trainer.networks import BODIES
from gan_trainer.networks.layers import NORMS
from gan_trainer.recipes.recipe import RECIPES
from gan_trainer.systems import new_networks
from gan_trainer.training.system import Shapes

SHAPES = [(6, 2), (6, 1, 4, 5), (6, 3, 4, 4), (6, 7, 3, 2)]


def pair(*shape: int) -> tuple[Tensor, Tensor]:
    torch.manual_seed(0)
    real, fake = torch.randn(2, *shape, dtype=torch.float64).unbind()
    return real, fake


def linear(weight: Tensor) -> object:
    return lambda images: images.flatten(1) @ weight + 100  # far on the flat side of a sigmoid


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("where", ["line", "real", "fake", "around"])
def test_a_linear_critic_has_one_slope_everywhere(where: str, shape: tuple[int, ...]) -> None:
    """(||w|| - 1)^2 for any share and any shape: the norm is over all axes but the first, of the logit's gradient."""
    real, fake = pair(*shape)
    weight = torch.randn(real[0].numel(), dtype=torch.float64)
    one = gradient_penalty(linear(weight), real, fake, where, "one")
    zero = gradient_penalty(linear(weight), real, fake, where, "zero")
    torch.testing.assert_close(one, (weight.norm() - 1).square(), rtol=1e-12, atol=0)
    torch.testing.assert_close(zero, weight.square().sum(), rtol=1e-12, atol=0)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_half_the_squared_norm_has_the_images_as_gradient(shape: tuple[int, ...]) -> None:
    real, fake = pair(*shape)

    def critic(images: Tensor) -> Tensor:
        return images.square().flatten(1).sum(1) / 2

    for where, images in (("real", real), ("fake", fake)):
        penalty = gradient_penalty(critic, real, fake, where, "zero")
        torch.testing.assert_close(penalty, images.square().flatten(1).sum(1).mean())


def test_the_critic_is_trained_through_the_penalty() -> None:
    weight = torch.randn(12, dtype=torch.float64, requires_grad=True)
    (gradient,) = torch.autograd.grad(gradient_penalty(linear(weight), *pair(5, 3, 2, 2), "real", "zero"), weight)
    torch.testing.assert_close(gradient, 2 * weight)


def curved(images: Tensor) -> Tensor:
    return images.flatten(1).pow(3).sum(1)


@pytest.mark.parametrize("where", ["real", "around"])
def test_fakes_never_enter_penalties_at_the_data(where: str) -> None:
    real, fake = pair(6, 1, 4, 4)
    found = []
    for images in (fake, fake * 9):
        torch.manual_seed(1)
        found.append(gradient_penalty(curved, real, images, where, "one"))
    assert found[0] == found[1]


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_the_line_ends_in_the_real_and_in_the_generated_images(share: float) -> None:
    real, fake = pair(6, 1, 4, 4)
    points = penalty_points(real, fake, "line", torch.full((6,), share, dtype=torch.float64))
    torch.testing.assert_close(points, fake if share else real)
    end = gradient_penalty(curved, real, fake, "fake" if share else "real", "one")
    torch.testing.assert_close(penalty_at(curved, points, "one"), end)


def test_every_sample_has_a_share_of_its_own() -> None:
    torch.manual_seed(0)
    real, fake = torch.zeros(500, 1, 2, 2), torch.ones(500, 1, 2, 2)
    points = penalty_points(real, fake, "line").flatten(1)
    assert torch.equal(points, points[:, :1].expand(-1, 4))  # one for all pixels
    assert len(points[:, 0].unique()) > 490
    assert abs(points.mean().item() - 0.5) < 4 * (1 / 12 / 500) ** 0.5


def test_a_permuted_batch_with_its_shares_has_the_same_penalty() -> None:
    real, fake = pair(6, 1, 4, 4)
    shares, order = torch.rand(6, dtype=torch.float64), torch.randperm(6)
    first = penalty_at(curved, penalty_points(real, fake, "line", shares), "one")
    second = penalty_at(curved, penalty_points(real[order], fake[order], "line", shares[order]), "one")
    torch.testing.assert_close(first, second)


def test_dragan_stays_within_half_a_deviation_above_the_data() -> None:
    real, fake = pair(400, 1, 4, 4)
    step = (penalty_points(real, fake, "around") - real) / real.std()
    assert step.min() >= 0
    assert 0.4 < step.max() <= 0.5
    assert abs(step.mean().item() - 0.125) < 0.01  # 0.5 * U * U


def test_dragan_goes_as_far_with_all_pixels_of_an_image() -> None:
    """The farthest of a thousand pixels says how far: anything for images with shares of their own, 0.5 without."""
    real, fake = pair(400, 1, 32, 32)
    shares = (penalty_points(real, fake, "around") - real).flatten(1).amax(1) / (0.5 * real.std())
    assert shares.min() < 0.05
    assert abs(shares.mean().item() - 0.5) < 4 * (1 / 12 / 400) ** 0.5


def test_no_slope_at_all_is_no_reason_to_diverge() -> None:
    weight = torch.zeros(4, requires_grad=True)
    penalty = gradient_penalty(lambda images: images.flatten(1) @ weight, *map(Tensor.float, pair(3, 1, 2, 2)))
    (gradient,) = torch.autograd.grad(penalty, weight)
    assert penalty.item() == 1
    assert torch.isfinite(gradient).all()


def test_other_places_and_forms_are_refused() -> None:
    real, fake = pair(2, 3)
    with pytest.raises(ValueError, match="where='nowhere'"):
        gradient_penalty(curved, real, fake, "nowhere")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="form='two'"):
        gradient_penalty(curved, real, fake, "line", "two")  # type: ignore[arg-type]


def test_the_table_names_the_penalties_of_the_papers() -> None:
    table = {name: (penalty.where, penalty.form) for name, penalty in PENALTIES.items()}
    assert table == {
        "gp": ("line", "one"),
        "gp0": ("line", "zero"),
        "dragan": ("around", "one"),
        "r1": ("real", "zero"),
        "r2": ("fake", "zero"),
    }


@pytest.mark.parametrize("d_norm", [*NORMS, "spectral"])
@pytest.mark.parametrize("network", BODIES)
def test_only_batch_norm_lets_a_discriminator_mix_images(network: str, d_norm: str) -> None:
    """A penalty of single images means something where each image is judged by itself."""
    from dataclasses import replace

    torch.manual_seed(0)
    recipe = replace(RECIPES["quick"], network=network, d_norm=d_norm, width=8, penalty="none", penalty_weight=0.0)
    discriminator = new_networks(recipe, Shapes(DIGIT, 10))["discriminator"]
    assert discriminator is not None
    for module in discriminator.modules():
        if type(module).__name__ == "Dropout":
            module.eval()
    images = new_generator("quick", 10)(torch.randn(6, 64), torch.arange(6)).detach()
    with torch.no_grad():
        discriminator(images, torch.arange(6))  # spectral norm: the vectors of this weight, which then hardly move
        for module in discriminator.modules():
            if "ParametrizationList" in type(module).__name__:
                module.eval()
        together = discriminator(images, torch.arange(6))
        alone = [discriminator(images[i : i + 2], torch.arange(i, i + 2)) for i in range(0, 6, 2)]
    apart = (together - torch.cat(alone)).abs().max().item()
    assert apart > 1e-3 if d_norm == "batch" else apart < 1e-4
