import math

import pytest
import torch

from gan_trainer.networks.conv import ConvDiscriminator
from gan_trainer.objectives import OBJECTIVES
from gan_trainer.penalties import r1_penalty


def test_logistic_loss_at_logits_zero() -> None:
    zero = torch.zeros(5)
    objective = OBJECTIVES["non-saturating"]
    assert objective.d_loss(zero, zero).item() == pytest.approx(2 * math.log(2))
    assert objective.g_loss(zero, zero).item() == pytest.approx(math.log(2))


def test_logistic_losses_are_binary_cross_entropy_on_probabilities() -> None:
    torch.manual_seed(0)
    real, fake = torch.randn(2, 64).double().unbind()
    ones, zeros = torch.ones(64).double(), torch.zeros(64).double()
    entropy = torch.nn.BCELoss()
    objective = OBJECTIVES["non-saturating"]
    expected = entropy(real.sigmoid(), ones) + entropy(fake.sigmoid(), zeros)
    torch.testing.assert_close(objective.d_loss(real, fake), expected)
    torch.testing.assert_close(objective.g_loss(real, fake), entropy(fake.sigmoid(), ones))


def test_losses_on_logits_survive_certainty() -> None:
    sure = torch.full((4,), 1e4)
    for objective in OBJECTIVES.values():
        for loss in (objective.d_loss, objective.g_loss):
            assert torch.isfinite(loss(sure, -sure))
            assert torch.isfinite(loss(-sure, sure))


def test_pairing_loss_sees_only_the_difference() -> None:
    torch.manual_seed(0)
    real, fake = torch.randn(2, 8).unbind()
    objective = OBJECTIVES["rpgan"]
    torch.testing.assert_close(objective.d_loss(real, fake), objective.d_loss(real + 5, fake + 5))
    torch.testing.assert_close(objective.d_loss(real, fake), objective.g_loss(fake, real))
    assert objective.d_loss(real, real).item() == pytest.approx(math.log(2))


def test_r1_of_half_the_squared_norm() -> None:
    """D(x) = ||x||^2 / 2 has the gradient x, so R1 is the mean of ||x||^2, over all axes but the first."""
    x = torch.randn(6, 3, 4, 5)
    penalty = r1_penalty(lambda images: images.square().flatten(1).sum(1) / 2, x)
    torch.testing.assert_close(penalty, x.square().flatten(1).sum(1).mean())


def test_r1_is_of_the_logit_not_of_the_probability() -> None:
    weight = torch.randn(12, requires_grad=True)
    penalty = r1_penalty(lambda images: images.flatten(1) @ weight + 100, torch.randn(5, 3, 2, 2))
    torch.testing.assert_close(penalty, weight.square().sum())
    (gradient,) = torch.autograd.grad(penalty, weight)
    torch.testing.assert_close(gradient, 2 * weight)


def test_the_discriminator_judges_each_image_by_itself() -> None:
    """A penalty of single images means nothing under batch norm."""
    from gan_runtime.manifest import ImageSize

    torch.manual_seed(0)
    discriminator = ConvDiscriminator(ImageSize(28, 28, 1), classes=10, width=8)
    images, labels = torch.randn(6, 1, 28, 28), torch.arange(6)
    together = discriminator(images, labels)
    alone = torch.cat([discriminator(images[i : i + 1], labels[i : i + 1]) for i in range(6)])
    torch.testing.assert_close(together, alone)
    assert not any(isinstance(module, torch.nn.BatchNorm2d) for module in discriminator.modules())


def test_recipes_name_objectives_that_exist() -> None:
    from gan_trainer.recipes import RECIPES

    for recipe in RECIPES.values():
        assert recipe.objective in OBJECTIVES
