"""Every recipe is faithful to its paper, can be trained and exported, and refuses what cannot work by the flag."""

import json
import re
from collections.abc import Callable
from copy import deepcopy
from dataclasses import fields, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from helpers import DIGIT, FROM_LATENTS, Result, new_generator
from torch import nn
from torch.optim.optimizer import register_optimizer_step_post_hook

from gan_runtime.errors import InputError
from gan_runtime.generator import Generator
from gan_trainer.data.ada import GROUPS
from gan_trainer.data.augment import AUGMENTATIONS
from gan_trainer.losses.adversarial import OBJECTIVES
from gan_trainer.losses.penalties import PENALTIES
from gan_trainer.networks import BODIES
from gan_trainer.networks.grid import coarse_grid
from gan_trainer.networks.layers import NORMS, Dropout
from gan_trainer.recipes import adversarial, checks, gan, latents
from gan_trainer.recipes.checks import changed
from gan_trainer.recipes.recipe import RECIPES, SETTINGS, Recipe
from gan_trainer.runs import settings
from gan_trainer.systems import SYSTEMS, new_networks
from gan_trainer.systems import bigan as joint
from gan_trainer.systems import vae as autoencoder
from gan_trainer.training import config as configs
from gan_trainer.training.config import Config
from gan_trainer.training.schedule import set_learning_rate
from gan_trainer.training.state import TrainState, new_state
from gan_trainer.training.system import Shapes

TRANSLATORS = ["pix2pix", "pix2pix-l1", "pix2pix-quick", "cyclegan", "cyclegan-quick"]
NAMES = ["gan", "gan-minimax", "lsgan", "wgan", "wgan-gp", "dragan", "hinge", "rpgan", "r3gan", "bigan", "vae"]
STYLES = ["stylegan2", "stylegan2-small"]
Call = Callable[..., Result]


def begin(recipe: Recipe, classes: int = 0) -> TrainState:
    torch.manual_seed(0)
    return new_state(SYSTEMS[recipe.system], new_networks(recipe, Shapes(DIGIT, classes)), recipe, torch.device("cpu"))


def step(state: TrainState, recipe: Recipe) -> dict[str, torch.Tensor]:
    real = torch.rand(8, 1, 28, 28) * 2 - 1
    losses = SYSTEMS[recipe.system].step(state, recipe, real, torch.arange(8))
    state.step, state.images_seen = state.step + 1, state.images_seen + 8
    return losses


def small(name: str, **changes: Any) -> Recipe:
    return changed(RECIPES[name], {"width": 8, "precision": "fp32", "augment": "none"} | changes)


def test_the_table_is_that_of_the_survey() -> None:
    assert list(FROM_LATENTS) == ["quick", *NAMES, *STYLES]
    assert list(RECIPES) == [*FROM_LATENTS, *TRANSLATORS, "sr", "esrgan"]


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("lsgan", {"objective": "lsgan", "lr": 2e-4, "betas": (0.5, 0.999)}),
        ("wgan", {"optimizer": "rmsprop", "lr": 5e-5, "clip": 0.01, "critic_steps": 5, "warm_critic": 100}),
        ("wgan-gp", {"penalty": "gp", "penalty_weight": 10.0, "critic_steps": 5, "lr": 1e-4, "betas": (0.5, 0.9)}),
        ("dragan", {"penalty": "dragan", "penalty_weight": 10.0, "critic_steps": 1, "lr": 1e-4, "batch_size": 128}),
        ("hinge", {"objective": "hinge", "d_norm": "spectral"}),
        ("r3gan", {"objective": "rpgan", "penalty": "r1,r2", "penalty_every": 1, "g_norm": "none", "d_norm": "none"}),
        ("bigan", {"latents": "uniform", "latent_dim": 50, "batch_size": 128, "weight_decay": 2.5e-5, "lr": 2e-4}),
        ("vae", {"objective": "elbo", "lr": 1e-3, "latents": "normal"}),
    ],
)
def test_settings_of_the_papers(name: str, settings: dict[str, Any]) -> None:
    assert {key: getattr(RECIPES[name], key) for key in settings} == settings


@pytest.mark.parametrize("conditional", [False, True])
@pytest.mark.parametrize("name", [*NAMES, "stylegan2-small"])
def test_every_network_of_a_recipe_learns(name: str, conditional: bool) -> None:
    recipe = small(name, conditional=conditional, warm_critic=0)
    state = begin(recipe, 8 if conditional else 0)
    trained = state.networks | {"average": state.averaged("generator")}
    before = {part: deepcopy(dict(net.named_parameters())) for part, net in trained.items()}
    for _ in range(3 * getattr(recipe, "critic_steps", 1)):
        step(state, recipe)
    state.check_finite()
    for part, weights in before.items():
        now = dict(trained[part].named_parameters())
        still = [name for name, old in weights.items() if torch.equal(now[name], old)]
        assert set(still) <= {"head.bias"}, part  # in differences of logits it cancels
    assert all(weight.requires_grad for weight in state.networks["generator"].parameters())


def test_after_every_critic_step_all_weights_are_within_the_clip() -> None:
    recipe = small("wgan", warm_critic=0)
    state = begin(recipe)
    for _ in range(6):
        step(state, recipe)
        assert max(weight.abs().max() for weight in state.networks["discriminator"].parameters()) <= recipe.clip


def test_the_critic_makes_its_steps_and_its_authors_extra_steps() -> None:
    recipe = small("wgan", network="mlp", g_norm="none", d_norm="none", critic_steps=2, warm_critic=4)
    state = begin(recipe)
    turns = ["g_loss" in step(state, recipe) for _ in range(25 * 4 + 6 * 2)]
    moments = [i + 1 for i, turn in enumerate(turns) if turn]
    assert moments[:25] == list(range(4, 101, 4))
    assert {b - a for a, b in pairwise(moments[24:])} == {2}
    state.counters["g_steps"], state.counters["d_steps"] = 500, 0
    assert ["g_loss" in step(state, recipe) for _ in range(6)] == [False, False, False, True, False, True]


@pytest.mark.parametrize("name", ["wgan-gp", "dragan", "r3gan"])
def test_the_penalty_is_in_the_only_step_of_the_only_optimiser(name: str) -> None:
    """Without it the discriminator would become another one, and nothing else steps it."""
    weights = {}
    for weight in (RECIPES[name].penalty_weight, 1e-12):
        recipe = small(name, penalty_weight=weight, critic_steps=1)
        state = begin(recipe)
        stepped: list[torch.optim.Optimizer] = []
        hook = register_optimizer_step_post_hook(lambda optimizer, *_, stepped=stepped: stepped.append(optimizer))
        step(state, recipe)
        hook.remove()
        assert stepped == [state.optimizers["d"], state.optimizers["g"]]
        weights[weight] = torch.cat(
            [weight.detach().flatten() for weight in state.networks["discriminator"].parameters()]
        )
    first, second = weights.values()
    assert not torch.equal(first, second)


def test_a_lazy_penalty_counts_for_the_steps_between() -> None:
    from gan_trainer.systems.gan import penalties

    recipe = small("quick", penalty_every=4, penalty_weight=0.5)
    state, real = begin(recipe), torch.randn(3, 5)
    found = []
    for state.step in range(8):
        found.append(
            float(torch.as_tensor(penalties(state, recipe, lambda x: x.square().sum(1) / 2, real, real)).detach())
        )
    expected = 4 * 0.5 * real.square().sum(1).mean().item()
    assert found == pytest.approx([expected, 0, 0, 0, expected, 0, 0, 0])


def test_several_penalties_are_added() -> None:
    from gan_trainer.systems.gan import penalties

    recipe = small("r3gan", penalty_weight=1.0)
    real, fake = torch.randn(2, 3, 5).unbind()
    total = penalties(begin(recipe), recipe, lambda x: x.square().sum(1) / 2, real, fake)
    expected = real.square().sum(1).mean() + fake.square().sum(1).mean()
    torch.testing.assert_close(total, expected)


def test_the_rate_falls_as_a_cosine_to_its_end() -> None:
    recipe = small("r3gan", images=1000)
    state = begin(recipe)
    rates = []
    for state.images_seen in (0, 500, 1000):
        rates.append(set_learning_rate(state, recipe) / recipe.lr)
    assert rates == pytest.approx([1.0, 0.625, 0.25])


def test_the_bound_of_an_autoencoder() -> None:
    mean, log_variance = torch.zeros(4, 3), torch.zeros(4, 3)
    assert autoencoder.divergence(mean, log_variance) == 0
    assert autoencoder.divergence(mean + 2, log_variance).item() == pytest.approx(6.0)  # mu^2 / 2 for each of 3
    normal, other = torch.distributions.Normal(0.0, 1.0), torch.distributions.Normal(0.5, 1.5)
    expected = torch.distributions.kl_divergence(other, normal).item()
    found = autoencoder.divergence(torch.tensor([[0.5]]), 2 * torch.tensor([[1.5]]).log())
    assert found.item() == pytest.approx(expected)
    black = -torch.ones(2, 1, 4, 4)
    assert autoencoder.reconstruction(40 * black, black).item() == pytest.approx(0, abs=1e-3)
    grey = autoencoder.reconstruction(torch.zeros(2, 1, 4, 4), black)
    assert grey.item() == pytest.approx(16 * torch.tensor(2.0).log().item())


def test_a_pixel_that_is_sure_and_wrong_still_learns() -> None:
    sure = torch.full((1, 1, 1, 1), -20.0, requires_grad=True)
    (gradient,) = torch.autograd.grad(autoencoder.reconstruction(sure, torch.ones(1, 1, 1, 1)), sure)
    assert gradient.item() == pytest.approx(-1.0)


def test_values_become_images_in_a_tanh() -> None:
    generator = new_generator("vae", width=8).eval()
    latents = torch.randn(3, 20)
    torch.testing.assert_close(generator(latents), generator.values(latents).tanh())  # type: ignore[operator]


REFUSED = [
    ("lsgan", {"penalty": "gp", "penalty_weight": 10.0}, "--penalty gp: .* batch norm .*--d-norm none"),
    (
        "wgan",
        {"clip": 0.0},
        "--objective wgan: its critic needs a Lipschitz constraint; give --clip or --d-norm spectral",
    ),
    ("wgan", {"d_norm": "spectral"}, "--d-norm spectral: .*give --clip 0"),
    ("wgan", {"warm_critic": 3}, "--warm-critic 3: is less than --critic-steps"),
    ("wgan", {"images": 99}, "comes after 6,400; give more, or a smaller --batch-size, or fewer steps with --critic-"),
    ("quick", {"images": 63}, "comes after 64; give more, or a smaller --batch-size"),
    ("wgan", {"images": 6000}, "--images 6000: .*6,400; give more"),
    ("wgan", {"clip": float("nan")}, "--clip nan: must be a finite number"),
    ("wgan-gp", {"penalty_weight": 0.0}, "--penalty gp: has no weight"),
    ("wgan-gp", {"penalty": "none"}, "--penalty-weight 10: there is no penalty"),
    ("wgan-gp", {"penalty": "r3"}, "--penalty r3: unknown; choose one of gp, gp0, dragan, r1, r2"),
    ("wgan-gp", {"penalty": "gp,none"}, "--penalty none: unknown"),
    ("wgan-gp", {"penalty": "gp,gp"}, "--penalty gp,gp: the same penalty is given twice"),
    ("gan", {"network": "transformer"}, "--network transformer: unknown; choose one of mlp, conv, dcgan, resnet"),
    ("gan", {"objective": "elbo"}, "--objective elbo: .*--recipe vae"),
    ("gan", {"objective": "cramer"}, "--objective cramer: unknown; choose one of minimax, .*, ragan$"),
    ("gan", {"d_norm": "instance"}, "--d-norm instance: unknown"),
    ("gan", {"optimizer": "sgd"}, "--optimizer sgd: unknown"),
    ("gan", {"betas": (0.5, 1.0)}, "--betas 0.5 1: each must be in"),
    ("quick", {"critic_steps": 2}, "--share-passes: .*--no-share-passes"),
    ("bigan", {"objective": "lsgan"}, "--objective lsgan: its targets"),
    ("bigan", {"objective": "wgan"}, "--objective wgan: .*give --clip or --d-norm spectral"),
    ("bigan", {"augment": "cutout"}, "--augment cutout: bigan does not use it"),
    ("bigan", {"share_passes": True}, "^--share-passes: bigan does not use it"),
    (
        "quick",
        {"minibatch_std": True, "batch_size": 66},
        "--batch-size 66: --minibatch-std needs groups of four images",
    ),
    ("vae", {"objective": "hinge"}, "--objective hinge: vae does not use it"),
    ("vae", {"latents": "uniform"}, "--latents uniform: vae does not use it"),
    ("vae", {"penalty_weight": 5.0}, "--penalty-weight 5: vae does not use it"),
    ("vae", {"network": "mlp", "dropout": 0.3}, "--dropout 0.3: vae does not use it"),
    ("bigan", {"penalty_weight": 5.0}, "--penalty-weight 5: bigan does not use it"),
    ("vae", {"ema_half_life": 100}, "--ema-half-life 100: .*would not match the encoder"),
]


@pytest.mark.parametrize(("name", "changes", "message"), REFUSED, ids=lambda value: str(value)[:30])
def test_combinations_that_cannot_work_are_refused(name: str, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        changed(RECIPES[name], changes)


MADE_NOWHERE = [
    ({"lr": -1.0}, r"--lr -1: must be in \(0.0, 1.0\]"),
    ({"lr": 0.0}, "--lr 0: must be in"),
    ({"lr": "fast"}, "--lr 'fast': must be a number"),
    ({"lr": float("inf")}, "--lr inf: must be a finite number"),
    ({"lr": float("nan")}, "--lr nan: must be a finite number"),
    ({"batch_size": 0}, r"--batch-size 0: must be in \[2, 65,536\]"),
    ({"batch_size": 64.0}, "--batch-size 64.0: must be a whole number"),
    ({"batch_size": True}, "--batch-size True: must be a whole number"),
    ({"images": 0}, "--images 0: must be in"),
    ({"images": 10**13}, "--images 10000000000000: must be in"),
    ({"width": 0}, "--width 0: must be in"),
    ({"latent_dim": None}, "--latent-dim None: must be a whole number"),
    ({"precision": "fp16"}, "precision 'fp16': choose one of auto, fp32, bf16"),
    ({"augment": "nonsense"}, "augment 'nonsense': choose auto, ada, none, or some of colour,translation,cutout"),
    ({"augment": "cutout,cutout"}, "augment 'cutout': choose"),
    ({"augment": "auto,cutout"}, "augment 'auto': choose"),
    ({"augment": "ada,cutout"}, "augment 'ada,cutout': ada has operations of its own; give it alone"),
    ({"ada_groups": "blit,noise"}, "ada-groups 'noise': choose some of blit,geometry,colour"),
    ({"ada_target": 1.5}, "--ada-target 1.5: must be in"),
    ({"ada_speed": 0}, "--ada-speed 0: must be in"),
    ({"network": 3}, "--network 3: must be text"),
    ({"penalty_weight": -0.5}, "--penalty-weight -0.5: must be in"),
    ({"weight_decay": -1e-9}, "--weight-decay -1e-09: must be in"),
    ({"clip": -1.0}, "--clip -1: must be in"),
    ({"dropout": 1.0}, "--dropout 1: must be in"),
    ({"betas": (0.5, -0.1)}, r"--betas 0.5 -0.1: each must be in \[0.0, 1.0\)"),
    ({"betas": (0.5,)}, "--betas .*: must be a tuple of 2 numbers"),
    ({"betas": 0.5}, "--betas 0.5: must be a tuple of 2 numbers"),
    ({"critic_steps": 0}, "--critic-steps 0: must be in"),
    ({"warm_critic": -1}, "--warm-critic -1: must be in"),
    ({"ema_half_life": -1}, "--ema-half-life -1: must be in"),
    ({"eval_every": -1}, "--eval-every -1: must be in"),
    ({"log_every": 0}, "--log-every 0: must be in"),
    ({"patience": -1}, "--patience -1: must be in"),
    ({"conditional": 1}, "--conditional 1: must be True or False"),
    ({"decay_from": 1.5}, "--decay-from 1.5: must be in"),
]


@pytest.mark.parametrize(("changes", "message"), MADE_NOWHERE, ids=lambda value: str(value)[:30])
def test_a_field_out_of_range_cannot_be_made_in_python_either(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        changed(RECIPES["quick"], changes)


def test_bounds_stand_with_the_fields_and_are_those_of_the_flags(call: Call) -> None:
    """Whatever a field's own bounds refuse in Python, the flag refuses, too; there is no second table."""
    every = {field.name: (name, field) for name in ("vae", "bigan", "gan") for field in fields(RECIPES[name])}
    for name, field in every.values():
        bounds, kind = field.metadata.get("bounds", {}), type(field.default)
        assert kind not in (int, float) or bounds, f"{field.name} has no bounds"
        for bound, step in (("min", -1), ("max", 1), ("above", 0)):
            if bound in bounds and kind in (int, float):
                value, option = bounds[bound] + step, f"--{field.name.replace('_', '-')}"
                with pytest.raises(InputError, match=option):
                    changed(RECIPES[name], {field.name: value})
                assert call("gan-train", "mnist", "--recipe", name, option, value).refused(option)


def test_what_is_still_auto_is_computed_with_by_nobody() -> None:
    """Silently it would mean fp32, or no augmentation."""
    images = torch.zeros(2, 1, 28, 28)
    for recipe in (RECIPES["quick"], replace(RECIPES["quick"], precision="fp32"), RECIPES["r3gan"]):
        assert recipe.unresolved
        with pytest.raises(InputError, match=r"--(augment|precision) auto: is not resolved"):
            SYSTEMS["gan"].step(begin(recipe, 10), recipe, images, torch.zeros(2, dtype=torch.int64))


def test_a_configuration_holds_what_was_chosen_beside_what_was_asked_for(
    make: Callable[..., Config], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "choose_precision", lambda wanted, device: "bf16" if wanted == "auto" else wanted)
    config = make(precision="auto", augment="auto")
    assert (config.recipe.precision, config.recipe.augment) == ("bf16", "colour,translation,cutout")
    assert (config.asked["precision"], config.asked["augment"]) == ("auto", "auto")
    assert Config.from_dict(json.loads(json.dumps(config.to_dict())), "x") == config
    for name, value, words in (
        ("device", "auto", "device 'auto': must be cpu or cuda"),
        ("threads", None, "threads None: must be a whole number"),
        ("threads", 0, "threads 0: must be"),
        ("seed", -1, "seed -1: must be"),
        ("keep_checkpoints", True, "keep_checkpoints True: must be"),
        ("recipe", RECIPES["quick"], "--precision auto: is not resolved"),
    ):
        with pytest.raises(InputError, match=words):
            replace(config, **{name: value})


def test_a_precision_is_chosen_for_a_device() -> None:
    with pytest.raises(InputError, match="device 'auto': must be cpu or cuda"):
        configs.choose_precision("auto", "auto")


IDLE = [
    (["--recipe", "wgan", "--betas", 0, 0.9], "--betas: --optimizer rmsprop does not use it"),
    (["--recipe", "quick", "--dropout", 0.1], "--dropout: the network conv has none"),
    (["--recipe", "lsgan", "--minibatch-std"], "--minibatch-std: only a conv discriminator supports it"),
    (["--recipe", "vae", "--network", "conv", "--minibatch-std"], "--minibatch-std: vae does not use it"),
    (["--recipe", "lsgan", "--dropout", 0.3], "--dropout: the network dcgan has none"),
    (["--recipe", "lsgan", "--penalty-every", 4], "--penalty-every: there is no penalty"),
    (["--recipe", "lsgan", "--decay", "cosine"], "--decay: the learning rate does not decay; give --decay-from"),
    (["--recipe", "vae", "--d-norm", "spectral"], "--d-norm spectral: vae does not use it"),
    (["--recipe", "quick", "--ada-target", 0.5], "--ada-target: there is no adaptive augmentation; give --augment ada"),
    (["--recipe", "bigan", "--ada-speed", 1000], "--ada-speed 1000: bigan does not use it"),
]


@pytest.mark.parametrize(("flags", "message"), IDLE, ids=lambda value: str(value)[:30])
def test_flags_that_would_change_nothing_are_refused(call: Call, flags: list[object], message: str) -> None:
    assert call("gan-train", "mnist", *flags).refused(message)


def test_a_penalty_can_be_taken_away(call: Call) -> None:
    assert call("gan-train", "mnist", "--penalty", "none", "--images", 64, "--threads", 1, "--quiet").code == 0
    recipe = json.loads(Path("runs/mnist-quick/config.json").read_text())["recipe"]
    assert (recipe["penalty"], recipe["penalty_weight"]) == ("none", 0.0)


@pytest.mark.parametrize(
    ("value", "words"),
    [(0.5, "--lr 0.5"), (2e-4, "--lr 0.0002"), (0.00123456789, "--lr 0.00123456789"), ((0.0, 0.9), "--lr 0 0.9")],
)
def test_flags_lose_no_digits(value: object, words: str) -> None:
    assert checks.flag("lr", value) == words


def test_names_that_checks_knows_are_those_of_the_tables() -> None:
    assert tuple(OBJECTIVES) == adversarial.OBJECTIVES
    assert tuple(PENALTIES) == gan.PENALTIES
    assert tuple(AUGMENTATIONS) == checks.AUGMENTATIONS
    assert GROUPS == checks.ADA_GROUPS
    assert tuple(BODIES) == latents.NETWORKS
    assert latents.NORMS == NORMS
    assert tuple(SYSTEMS) == tuple(SETTINGS)


def test_no_encoder_drops_features() -> None:
    for name, dropout in (("bigan", 0.3), ("vae", 0.0)):
        networks = new_networks(changed(RECIPES[name], {"network": "mlp", "dropout": dropout}), Shapes(DIGIT))
        assert not [module for module in networks["encoder"].modules() if isinstance(module, Dropout)]
    for name in ("bigan", "wgan", "wgan-gp"):
        discriminator = new_networks(replace(RECIPES[name], network="mlp"), Shapes(DIGIT))["discriminator"]
        assert discriminator is not None
        assert not [module for module in discriminator.modules() if isinstance(module, Dropout)]


class Pairs(nn.Module):
    """Logits of pairs that are sums of all values, with a weight of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(0.01))

    def forward(self, images: torch.Tensor, latents: torch.Tensor) -> torch.Tensor:
        return self.weight * (images.flatten(1).sum(1) + latents.sum(1))


@pytest.mark.parametrize("objective", ["non-saturating", "minimax", "rpgan"])
def test_generator_and_encoder_minimise_the_loss_with_the_roles_swapped(objective: str) -> None:
    """The labels of the pairs change places, and the gradients of both networks are those of that loss."""
    recipe = small("bigan", objective=objective, lr=1e-30, weight_decay=0.0)
    state, real = begin(recipe), torch.rand(8, 1, 28, 28) * 2 - 1
    state.networks["discriminator"] = Pairs()
    state.optimizers["d"] = torch.optim.Adam(state.networks["discriminator"].parameters(), lr=0.0)
    torch.manual_seed(1)
    losses = joint.step(state, recipe, real, torch.zeros(8, dtype=torch.int64))
    d_loss, g_loss = losses["d_loss"], losses["g_loss"]
    gradients = [
        weight.grad for part in (state.networks["generator"], state.networks["encoder"]) for weight in part.parameters()
    ]
    torch.manual_seed(1)
    drawn, encoded = joint.pairs(state, recipe, real, ())
    real_logits, fake_logits = (joint.judge(state, recipe, pair, ()) for pair in (encoded, drawn))
    swapped = OBJECTIVES[objective].d_loss(fake_logits, real_logits)  # with the labels the other way round
    if objective == "minimax":
        swapped = -OBJECTIVES[objective].d_loss(real_logits, fake_logits)
    torch.testing.assert_close(g_loss, swapped.detach())
    torch.testing.assert_close(d_loss, OBJECTIVES[objective].d_loss(real_logits, fake_logits).detach())
    state.optimizers["g"].zero_grad()
    swapped.backward()
    again = [
        weight.grad for part in (state.networks["generator"], state.networks["encoder"]) for weight in part.parameters()
    ]
    for one, other in zip(gradients, again, strict=True):
        torch.testing.assert_close(one, other)


def test_they_are_refused_before_anything_is_made(call: Call) -> None:
    assert call("gan-train", "mnist", "--recipe", "lsgan", "--penalty", "gp", "--penalty-weight", 10).refused(
        "--penalty gp", "--d-norm"
    )
    assert not Path("runs").exists()


def test_every_field_is_a_flag_and_lands_in_the_configuration(call: Call) -> None:
    done = call(
        "gan-train", "mnist", "--recipe", "hinge", "--images", 64, "--batch-size", 32, "--width", 8, "--quiet",
        "--network", "resnet", "--d-norm", "layer", "--penalty", "r1,r2", "--penalty-weight", 0.5, "--betas", 0.1, 0.9,
        "--objective", "ragan", "--latents", "uniform", "--decay", "cosine", "--decay-from", 0.1, "--conditional",
        "--threads", 1,
    )  # fmt: skip
    assert done.code == 0, done.err
    recipe = json.loads(Path("runs/mnist-hinge/config.json").read_text())["recipe"]
    asked = {
        "network": "resnet", "d_norm": "layer", "penalty": "r1,r2", "penalty_weight": 0.5, "betas": [0.1, 0.9],
        "objective": "ragan", "latents": "uniform", "decay": "cosine", "conditional": True, "width": 8,
    }  # fmt: skip
    assert {name: recipe[name] for name in asked} == asked
    assert set(recipe) == {field.name for field in fields(RECIPES["hinge"])}


@pytest.mark.parametrize("name", NAMES)
def test_every_recipe_is_trained_exported_and_sampled(call: Call, name: str) -> None:
    options = ["--images", 256, "--batch-size", 32, "--threads", 1, "--quiet"]
    options += [] if RECIPES[name].network == "mlp" else ["--width", 8]
    options += ["--warm-critic", 0] if getattr(RECIPES[name], "warm_critic", 0) else []
    done = call("gan-train", "mnist", "--recipe", name, *options)
    assert done.code == 0, done.err
    assert call("gan-export", f"runs/mnist-{name}", "--output", "x.onnx").code == 0
    generator = Generator.load("x.onnx", "cpu")
    assert generator.signature.latents.distribution == RECIPES[name].latents
    assert generator.sample(3).shape == (3, 28, 28, 1)


def test_the_list_of_recipes(call: Call) -> None:
    lines = call("gan-train", "--list-recipes").out.splitlines()
    assert [line.split()[0] for line in lines] == ["recipe", *RECIPES]
    assert "wgan + 10 gp" in next(line for line in lines if line.startswith("wgan-gp"))
    document = json.loads(call("gan-train", "--list-recipes", "--json").out)
    assert document["wgan"]["clip"] == 0.01
    assert set(PENALTIES) >= {
        name for recipe in RECIPES.values() if isinstance(recipe, gan.GanRecipe) for name in recipe.penalties
    }


OFFERING = [
    ("quick", {"network": "foo"}),
    ("quick", {"d_norm": "foo"}),
    ("quick", {"objective": "foo"}),
    ("gan", {"objective": "foo"}),
    ("wgan-gp", {"d_norm": "foo"}),
    ("wgan-gp", {"penalty": "foo"}),
    ("wgan-gp", {"d_norm": "batch"}),
    ("wgan", {"d_norm": "foo"}),
    ("bigan", {"objective": "foo"}),
    ("vae", {"latents": "foo"}),
    ("vae", {"network": "foo"}),
    ("vae", {"decay": "foo"}),
]


@pytest.mark.parametrize(("recipe", "changes"), OFFERING)
def test_every_choice_that_a_refusal_offers_is_accepted(recipe: str, changes: dict[str, Any]) -> None:
    with pytest.raises(InputError) as refusal:
        changed(RECIPES[recipe], changes)
    offered = re.split("choose (?:one of |--d-norm )", str(refusal.value))[1]
    for choice in re.split(", | or ", offered):
        assert changed(RECIPES[recipe], {next(iter(changes)) if "one of" in str(refusal.value) else "d_norm": choice})


@pytest.mark.parametrize("recipe", ["bigan", "vae"])
def test_augmentations_are_not_offered_where_there_are_none(recipe: str) -> None:
    with pytest.raises(InputError, match=f"--augment blur: {recipe} does not use it; leave it out"):
        changed(RECIPES[recipe], {"augment": "blur"})


@pytest.mark.parametrize(("name", "value"), [("network", "foo"), ("network", "conv"), ("augment", "blur")])
def test_of_points_only_what_points_have_is_offered(name: str, value: str) -> None:
    with pytest.raises(InputError, match=r"leave it out.*ring8 has points"):
        settings.check_settings("ring8", "quick", {name: value}, None)


@pytest.mark.parametrize("side", [1, 2, 3, 5, 29, 30, 33, 65, 100, 130, 255])
def test_the_sides_that_are_offered_are_accepted(side: int) -> None:
    with pytest.raises(InputError, match="choose") as refusal:
        coarse_grid(side)
    for offered in re.split(" or ", str(refusal.value).split("choose ")[1]):
        assert coarse_grid(int(offered))[0] >= 1


@pytest.mark.parametrize(
    ("capabilities", "expected"),
    [
        ({"cpu_name": "Intel Xeon", "avx512_bf16": True, "amx_bf16": True}, "bf16"),
        ({"cpu_name": "Intel Xeon", "avx512_bf16": True, "amx_bf16": False}, "fp32"),
        ({"cpu_name": "AMD EPYC", "avx512_bf16": True}, "bf16"),
        ({"cpu_name": "AMD EPYC"}, "fp32"),
        ({}, "fp32"),
    ],
)
def test_the_precision_is_what_the_processor_is_fast_in(
    capabilities: dict[str, Any], expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities, raising=False)
    assert configs.choose_precision("auto", "cpu") == expected
