"""Exact answers of the adversarial losses."""

import math

import pytest
import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy

from gan_trainer.losses.adversarial import OBJECTIVES

ZERO = torch.zeros(5)


def logits(n: int = 64) -> tuple[Tensor, Tensor]:
    torch.manual_seed(0)
    real, fake = torch.randn(2, n, dtype=torch.float64).unbind()
    return real, fake


def test_the_table_has_every_loss_of_the_survey() -> None:
    assert list(OBJECTIVES) == ["minimax", "non-saturating", "lsgan", "wgan", "hinge", "rpgan", "ragan"]


@pytest.mark.parametrize("name", ["minimax", "non-saturating"])
def test_logistic_losses_at_logits_zero(name: str) -> None:
    assert OBJECTIVES[name].d_loss(ZERO, ZERO).item() == pytest.approx(2 * math.log(2))


def test_the_value_of_the_game_at_its_equilibrium_is_minus_log_4() -> None:
    assert -OBJECTIVES["minimax"].d_loss(ZERO, ZERO).item() == pytest.approx(-math.log(4))
    assert OBJECTIVES["minimax"].g_loss(ZERO, ZERO).item() == pytest.approx(-math.log(2))
    assert OBJECTIVES["non-saturating"].g_loss(ZERO, ZERO).item() == pytest.approx(math.log(2))


def test_logistic_losses_are_cross_entropies_of_probabilities() -> None:
    real, fake = logits()
    ones, zeros = torch.ones_like(real), torch.zeros_like(real)
    expected = binary_cross_entropy(real.sigmoid(), ones) + binary_cross_entropy(fake.sigmoid(), zeros)
    for name in ("minimax", "non-saturating"):
        torch.testing.assert_close(OBJECTIVES[name].d_loss(real, fake), expected)
    torch.testing.assert_close(
        OBJECTIVES["non-saturating"].g_loss(real, fake), binary_cross_entropy(fake.sigmoid(), ones)
    )
    torch.testing.assert_close(OBJECTIVES["minimax"].g_loss(real, fake), (1 - fake.sigmoid()).log().mean())


@pytest.mark.parametrize("name", OBJECTIVES)
def test_losses_on_logits_survive_certainty(name: str) -> None:
    sure = torch.full((4,), 1e4)
    for loss in (OBJECTIVES[name].d_loss, OBJECTIVES[name].g_loss):
        assert torch.isfinite(loss(sure, -sure))
        assert torch.isfinite(loss(-sure, sure))


@pytest.mark.parametrize("name", OBJECTIVES)
def test_losses_are_means_that_no_order_changes(name: str) -> None:
    real, fake = logits(8)
    order = torch.randperm(8)
    for loss in (OBJECTIVES[name].d_loss, OBJECTIVES[name].g_loss):
        assert loss(real, fake).ndim == 0
        torch.testing.assert_close(loss(real[order], fake[order]), loss(real, fake))
        torch.testing.assert_close(loss(real.repeat(3), fake.repeat(3)), loss(real, fake))


@pytest.mark.parametrize("name", OBJECTIVES)
def test_the_generator_is_drawn_towards_higher_logits(name: str) -> None:
    real, fake = logits(8)
    fake = fake.clamp(-1, 0.9).requires_grad_()  # where no loss is flat
    (gradient,) = torch.autograd.grad(OBJECTIVES[name].g_loss(real, fake), fake)
    assert (gradient < 0).all()
    real = real.clamp(-0.9, 0.9).requires_grad_()
    to_real, to_fake = torch.autograd.grad(OBJECTIVES[name].d_loss(real, fake), (real, fake))
    assert to_real.sum() < 0 < to_fake.sum()


def test_least_squares_is_zero_at_its_targets_and_has_the_halves() -> None:
    one, zero = torch.ones(3), torch.zeros(3)
    lsgan = OBJECTIVES["lsgan"]
    assert lsgan.d_loss(one, zero) == 0
    assert lsgan.g_loss(zero, one) == 0
    assert lsgan.d_loss(zero, one) == 1
    assert lsgan.g_loss(one, zero) == 0.5


def test_wasserstein_losses_are_differences_of_means() -> None:
    real, fake = logits()
    torch.testing.assert_close(OBJECTIVES["wgan"].d_loss(real, fake), fake.mean() - real.mean())
    torch.testing.assert_close(OBJECTIVES["wgan"].g_loss(real, fake), -fake.mean())


def test_the_hinge_leaves_alone_what_is_beyond_its_margin() -> None:
    hinge = OBJECTIVES["hinge"]
    assert hinge.d_loss(torch.tensor([1.0, 5.0]), torch.tensor([-1.0, -9.0])) == 0
    assert hinge.d_loss(torch.tensor([0.5]), torch.tensor([0.5])) == 2
    assert hinge.g_loss(ZERO, torch.tensor([3.0])) == -3


@pytest.mark.parametrize("name", ["rpgan", "ragan"])
def test_relativistic_losses_see_only_differences(name: str) -> None:
    real, fake = logits(8)
    objective = OBJECTIVES[name]
    assert objective.paired
    torch.testing.assert_close(objective.d_loss(real, fake), objective.d_loss(real + 5, fake + 5))
    torch.testing.assert_close(objective.d_loss(real, fake), objective.g_loss(fake, real))


def test_relativistic_losses_where_nothing_can_be_told() -> None:
    assert OBJECTIVES["rpgan"].d_loss(ZERO, ZERO).item() == pytest.approx(math.log(2))
    assert OBJECTIVES["ragan"].d_loss(ZERO, ZERO).item() == pytest.approx(2 * math.log(2))


def test_average_relativistic_losses_compare_with_the_mean() -> None:
    """Of one image each there is only the pair: the loss is twice that of the pairs."""
    real, fake = torch.tensor([0.3]), torch.tensor([-1.2])
    torch.testing.assert_close(OBJECTIVES["ragan"].d_loss(real, fake), 2 * OBJECTIVES["rpgan"].d_loss(real, fake))
    real, fake = logits(8)
    expected = -(real - fake.mean()).sigmoid().log().mean() - (1 - (fake - real.mean()).sigmoid()).log().mean()
    torch.testing.assert_close(OBJECTIVES["ragan"].d_loss(real, fake), expected)


def test_margins_are_positive_where_an_image_is_taken_for_real() -> None:
    real, fake = torch.tensor([3.0, 0.25]), torch.tensor([-1.0, 0.0])
    for name, expected in (("hinge", [3.0, 0.25]), ("non-saturating", [3.0, 0.25]), ("lsgan", [2.5, -0.25])):
        assert OBJECTIVES[name].margins(real, fake).tolist() == expected
    for name in ("wgan", "rpgan", "ragan"):
        torch.testing.assert_close(OBJECTIVES[name].margins(real + 7, fake + 7), real - (1.625 - 0.5) / 2)
