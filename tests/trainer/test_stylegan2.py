"""The training of StyleGAN2: its losses, lazy regularisers, style mixing, and what a short run learns."""

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from helpers import SHORT, Result
from torch import Tensor

from gan_runtime.errors import InputError
from gan_runtime.manifest import ImageSize
from gan_trainer.losses.path_length import path_lengths, path_penalty
from gan_trainer.networks.stylegan2 import StyleGenerator
from gan_trainer.recipes.checks import changed
from gan_trainer.recipes.recipe import RECIPES
from gan_trainer.recipes.stylegan2 import Stylegan2Recipe
from gan_trainer.systems import new_networks, stylegan2
from gan_trainer.training.schedule import set_learning_rate
from gan_trainer.training.state import TrainState, new_state
from gan_trainer.training.system import Shapes

SIZE = ImageSize(8, 8, 1)
Call = Callable[..., Result]


def small(name: str = "stylegan2-small", **changes: Any) -> Stylegan2Recipe:
    tiny = {"width": 8, "latent_dim": 6, "style_dim": 7, "batch_size": 8, "precision": "fp32", "augment": "none"}
    complete = {"mixing": 0.9, "path_weight": 2.0}
    recipe = changed(RECIPES[name], tiny | complete | changes)
    assert isinstance(recipe, Stylegan2Recipe)
    return recipe


def begin(recipe: Stylegan2Recipe, classes: int = 0) -> TrainState:
    torch.manual_seed(0)
    return new_state(stylegan2.SYSTEM, new_networks(recipe, Shapes(SIZE, classes)), recipe, torch.device("cpu"))


def batch(n: int = 8) -> tuple[Tensor, Tensor]:
    return torch.rand(n, 1, 8, 8) * 2 - 1, torch.arange(n) % 3


# Path lengths


def test_path_lengths_of_a_linear_generator() -> None:
    """The image of each layer's style is A w, so that J^T y = A^T y, and E ||J^T y||^2 = ||A||^2 / (h w)."""
    torch.manual_seed(0)
    layers, dim, h, w = 3, 5, 4, 6
    maps = torch.randn(layers, 2 * h * w, dim).double()
    styles = torch.randn(7, layers, dim).double().requires_grad_()
    images = torch.einsum("lpd,nld->np", maps, styles).reshape(7, 2, h, w)
    y = torch.randn_like(images)
    each = torch.einsum("lpd,np->nld", maps, y.flatten(1)) / math.sqrt(h * w)
    torch.testing.assert_close(path_lengths(images, styles, y), each.square().sum(2).mean(1).sqrt())
    many = styles[:1].expand(4000, -1, -1).detach().requires_grad_()
    squares = path_lengths(torch.einsum("lpd,nld->np", maps, many).reshape(-1, 2, h, w), many).square()
    expected = maps.square().sum((1, 2)).mean() / (h * w)
    assert squares.mean().item() == pytest.approx(expected.item(), rel=0.05)


def test_the_penalty_is_the_distance_from_the_moving_average() -> None:
    lengths = torch.tensor([1.0, 3.0], requires_grad=True)
    penalty, average = path_penalty(lengths, torch.tensor(4.0), 0.5)
    assert average.item() == pytest.approx(3.0)
    assert not average.requires_grad
    assert penalty.item() == pytest.approx((4 + 0) / 2)
    penalty, average = path_penalty(lengths, torch.tensor(0.0), 0.01)
    assert average.item() == pytest.approx(0.02)


def test_a_run_tracks_its_path_length() -> None:
    recipe = small(path_every=2)
    state = begin(recipe)
    means = []
    for state.step in range(4):
        losses = stylegan2.step(state, recipe, *batch())
        assert ("path_length" in losses) == (state.step % 2 == 0)
        means.append(state.extra["path_length"].state_dict()["mean"].item())
    assert 0 < means[0] == means[1] < means[2] == means[3]


def test_the_mean_of_the_first_path_lengths_is_theirs(monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = small(path_every=1)
    state = begin(recipe)
    lengths: list[float] = []

    def recorded(images: Tensor, styles: Tensor) -> Tensor:
        found = path_lengths(images, styles)
        lengths.append(found.mean().item())
        return found

    monkeypatch.setattr(stylegan2, "path_lengths", recorded)
    for state.step in range(3):
        stylegan2.step(state, recipe, *batch())
        mean = state.extra["path_length"].state_dict()["mean"].item()
        assert mean == pytest.approx(sum(lengths) / len(lengths), rel=1e-5)


# Lazy regularisation


LATE = (
    6400  # a step after which the mean path length is a moving average at every interval, and a multiple of all of them
)


def gradients(monkeypatch: pytest.MonkeyPatch, recipe: Stylegan2Recipe, steps: int) -> dict[str, Tensor]:
    """The gradients of the regularisers at fixed weights, same images and same random numbers, summed over steps."""
    sums: dict[str, Tensor] = {}
    usual = {"d": 0, "g": 0}  # the first call of each step is that of the loss

    def descend(state: TrainState, name: str, loss: Tensor) -> None:
        usual[name] += 1
        if usual[name] == 1:
            return
        network = state.networks["discriminator" if name == "d" else "generator"]
        found = torch.autograd.grad(loss, list(network.parameters()), allow_unused=True, materialize_grads=True)
        sums[name] = sums.get(name, 0) + torch.cat([one.flatten() for one in found])

    monkeypatch.setattr(stylegan2, "descend", descend)
    state, (images, labels) = begin(recipe), batch()
    mean = state.extra["path_length"].state_dict()["mean"]
    for state.step in range(LATE, LATE + steps):
        usual.update(d=0, g=0)
        mean.fill_(1.0)
        torch.manual_seed(1)
        stylegan2.step(state, recipe, images, labels)
    return sums


def test_lazy_gradients_equal_those_of_every_step(monkeypatch: pytest.MonkeyPatch) -> None:
    lazy = gradients(monkeypatch, small(gamma=3.0), 16)
    eager = gradients(monkeypatch, small(gamma=3.0, r1_every=1, path_every=1), 16)
    assert set(lazy) == set(eager) == {"d", "g"}
    for name, expected in eager.items():
        assert expected.abs().max() > 0
        torch.testing.assert_close(lazy[name], expected, rtol=1e-3, atol=1e-3 * expected.abs().max().item())


def test_r1_is_half_gamma_times_the_squared_slope(monkeypatch: pytest.MonkeyPatch) -> None:
    recipe, slope = small(gamma=3.0), torch.randn(64)
    descended: list[Tensor] = []
    monkeypatch.setattr(stylegan2, "discriminate", lambda state, recipe, images, condition: images.flatten(1) @ slope)
    monkeypatch.setattr(stylegan2, "descend", lambda state, name, loss: descended.append(loss))
    state, (images, _) = begin(recipe), batch()
    losses = stylegan2.discriminator_step(state, recipe, images, images, ())
    assert losses["r1"].item() == pytest.approx(slope.square().sum().item(), rel=1e-5)
    assert descended[1].item() == pytest.approx(16 * 3.0 / 2 * losses["r1"].item())
    state.step = 1
    assert "r1" not in stylegan2.discriminator_step(state, recipe, images, images, ())


def test_rates_and_betas_are_corrected_for_lazy_steps() -> None:
    """c = k / (k + 1): 4 / 5 for the generator, 16 / 17 for the discriminator."""
    recipe = small(betas=(0.25, 0.99), lr=0.01)
    state = begin(recipe)
    set_learning_rate(state, recipe)
    for name, c in (("g", 4 / 5), ("d", 16 / 17)):
        group = state.optimizers[name].param_groups[0]
        assert group["betas"] == pytest.approx((0.25**c, 0.99**c))
        assert group["lr"] == pytest.approx(0.01 * c)
    plain = small(gamma=0.0, path_weight=0.0)
    assert [plain.share_of_rate(name) for name in "gd"] == [1.0, 1.0]
    assert plain.betas_of("g") == plain.betas
    assert (recipe.cycle, plain.cycle, small(r1_every=6).cycle) == (16, 1, 12)


@pytest.mark.parametrize("name", ["stylegan2", "stylegan2-small"])
def test_steps_of_the_optimizers(name: str) -> None:
    """One for each loss of a step: 16 + 1 of the discriminator, 16 + 4 of the generator in 16 batches."""
    recipe = small(name, max_width=16)
    state = begin(recipe)
    for state.step in range(16):
        stylegan2.step(state, recipe, *batch())
    counts = {name: int(next(iter(one.state.values()))["step"]) for name, one in state.optimizers.items()}
    assert counts == {"g": 20, "d": 17}
    assert state.counters == {"g_steps": 16, "d_steps": 16}


# Styles


def test_mixed_styles_change_once_and_only_as_often_as_asked() -> None:
    torch.manual_seed(0)
    first, second = torch.zeros(2000, 6, 1), torch.ones(2000, 6, 1)
    assert torch.equal(stylegan2.mixed(first, second, 0.0), first)
    rows = stylegan2.mixed(first, second, 0.9)[:, :, 0]
    assert bool((rows[:, 0] == 0).all())  # the first style always counts
    assert bool((rows.diff(dim=1) >= 0).all())  # and the second one counts to the end
    assert (rows[:, -1] == 1).float().mean().item() == pytest.approx(0.9, abs=0.03)
    begins = (6 - rows.sum(1))[rows[:, -1] == 1]
    assert torch.bincount(begins.long(), minlength=6)[1:].float().div(len(begins)).tolist() == pytest.approx(
        [0.2] * 5, abs=0.04
    )


def test_the_mean_style_is_that_of_the_latents_drawn() -> None:
    recipe = small(mixing=0.0)
    state = begin(recipe)
    generator = state.networks["generator"]
    assert isinstance(generator, StyleGenerator)
    images, _ = batch()
    styles = stylegan2.draw_styles(state, recipe, images, ())
    torch.testing.assert_close(generator.w_mean, 0.005 * styles[:, 0].mean(0).detach())
    assert styles.shape == (8, 4, 7)
    for _ in range(1500):
        stylegan2.draw_styles(state, recipe, images, ())
    true = generator.styles(torch.randn(20_000, 6))[:, 0].mean(0)
    torch.testing.assert_close(generator.w_mean, true, atol=0.1, rtol=0)


def test_the_average_has_the_mean_style_and_the_constant_noise() -> None:
    recipe = small(ema_half_life=100)
    state = begin(recipe)
    noise = state.networks["generator"].synthesis.constant_noise.clone()
    stylegan2.step(state, recipe, *batch())
    average = state.averaged("generator")
    assert average.w_mean.abs().max() > 0
    torch.testing.assert_close(average.synthesis.constant_noise, noise)


@pytest.mark.parametrize("shared", [False, True])
def test_a_conditional_run(shared: bool) -> None:
    recipe = small(conditional=True, share_passes=shared)
    state = begin(recipe, classes=3)
    before = state.networks["generator"].mapping.embed.weight.clone()
    stylegan2.step(state, recipe, *batch())
    assert not torch.equal(before, state.networks["generator"].mapping.embed.weight)
    state.check_finite()


# Runs


REFUSED = [
    ({"batch_size": 6}, "--batch-size 6: the discriminator compares groups of four images; give 4, 8, …"),
    ({"latents": "uniform"}, "--latents uniform: stylegan2 does not use it"),
    ({"network": "mlp"}, "--network mlp: stylegan2 does not use it"),
    ({"penalty": "r1"}, "--penalty r1: stylegan2 does not use it"),
    ({"objective": "hinge"}, "--objective hinge: stylegan2 does not use it"),
    ({"mixing": 1.5}, "--mixing 1.5: must be in"),
    ({"mapping_rate": 0.0}, "--mapping-rate 0: must be in"),
]


@pytest.mark.parametrize(("changes", "message"), REFUSED, ids=lambda value: str(value)[:20])
def test_settings_that_cannot_work_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        small(**changes)


def test_intervals_without_effect_are_refused(call: Call, two_folders: None) -> None:
    command = ("gan-train", "a", *SHORT, "--recipe", "stylegan2-small", "--images", 64)
    assert call(*command, "--gamma", 0, "--r1-every", 4).refused("--r1-every: there is no R1; give --gamma")
    assert call(*command, "--path-weight", 0, "--path-every", 2).refused("--path-every: there is no path length")


def test_points_are_refused(call: Call) -> None:
    assert call("gan-train", "ring8", "--recipe", "stylegan2-small").refused("stylegan2: draws grids of pixels")


def test_a_short_training_learns_the_colours() -> None:
    """Pictures are black or white on their left half, and grey on the right one."""
    recipe = small(lr=0.01, ema_half_life=500, gamma=0.1)
    state = begin(recipe)
    for state.step in range(120):
        images = torch.zeros(8, 1, 8, 8)
        images[:, :, :, :4] = torch.randint(0, 2, (8, 1, 1, 1)) * 2.0 - 1
        stylegan2.step(state, recipe, images, torch.zeros(8, dtype=torch.int64))
        state.images_seen += 8
    with torch.no_grad():
        drawn = state.averaged("generator").eval()(torch.randn(256, 6))
    left = drawn[:, 0, :, :3].mean((1, 2))
    assert drawn[:, 0, :, 5:].mean().abs() < 0.2
    assert (left > 0.5).float().mean() > 0.2
    assert (left < -0.5).float().mean() > 0.2
