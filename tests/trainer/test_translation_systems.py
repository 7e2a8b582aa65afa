"""The systems paired and unpaired: losses against oracles, the pool's rule, exact resume, divergence, averages."""

import signal
from collections.abc import Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from helpers import tensors
from torch import Tensor, nn

from gan_runtime.data import Dataset
from gan_runtime.data.domains import Domains, PairOptions, domains_of
from gan_runtime.errors import InputError
from gan_runtime.manifest import ImageSize
from gan_trainer import train
from gan_trainer.data.source import DataSource
from gan_trainer.recipes.recipe import RECIPES, recipe
from gan_trainer.recipes.translation import TranslationRecipe
from gan_trainer.runs.folder import Run, create_run
from gan_trainer.runs.settings import make_config
from gan_trainer.systems import SYSTEMS, new_networks, start_state
from gan_trainer.systems.image_pool import ImagePool
from gan_trainer.tasks.translate import preview
from gan_trainer.training.average import fit_statistics, kept_statistics
from gan_trainer.training.batches import batches_of
from gan_trainer.training.checkpoint import load_checkpoint
from gan_trainer.training.config import Config
from gan_trainer.training.logbook import Logbook
from gan_trainer.training.loop import Outcome, run_loop
from gan_trainer.training.meter import Diverged
from gan_trainer.training.observer import Observer
from gan_trainer.training.schedule import set_learning_rate
from gan_trainer.training.state import TrainState, new_state
from gan_trainer.training.stop import StopRequest
from gan_trainer.training.system import Shapes

TRANSLATORS = [name for name, recipe in RECIPES.items() if isinstance(recipe, TranslationRecipe)]
SMALL = {"width": 4, "d_width": 4, "patch": 16, "checkpoint_every": 12, "preview_every": 1000, "log_every": 8}
PARTS = {
    "paired": ("generator", "discriminator"),
    "unpaired": ("generator", "inverse", "discriminator", "inverse_discriminator"),
}


def domains(paired: bool) -> Domains:
    """Grey ramps, and the same upside down with noise: 40 pictures of 16x16 each."""
    rng = np.random.default_rng(0)
    ramps = (rng.random((40, 1, 1, 3)) * np.arange(0, 256, 16)[:, None, None]).astype(np.uint8).repeat(16, 2)
    noise = rng.integers(0, 8, ramps.shape, dtype=np.uint8)
    parts = [
        Dataset("ramps", "train", images, np.zeros(40, np.int64), ()) for images in (ramps, ramps[:, ::-1] + noise)
    ]
    return domains_of(*parts, paired)


def config_of(name: str, seed: int = 0, **changes: Any) -> tuple[Config, Domains]:
    system = RECIPES[name].system
    data = domains(system == "paired")
    blocks = {"blocks": 1} if RECIPES[name].network == "resnet" else {}
    batch = {"batch_size": 2, "images": 24, "ema_half_life": 20}
    given = SMALL | blocks | batch | changes
    if not RECIPES[name].gan_weight:
        given = {key: value for key, value in given.items() if not key.startswith("d_") and key != "patch"}
    source = DataSource.of(data, "ramps", None, None, pairs=PairOptions(paired=data.paired))
    return make_config(source, name, given, seed, "cpu", 1, 3), data


def run_of(config: Config, data: Domains, name: str, observer: Observer | None = None) -> tuple[Run, Outcome]:
    run = create_run(Path("runs"), name, config)
    with StopRequest() as stop:
        book = Logbook(run, [observer] if observer else [])
        return run, run_loop(config, data, start_state(config), book, preview, stop=stop)


def same(one: Path, other: Path) -> bool:
    a, b = (dict(tensors(load_checkpoint(path))) for path in (one, other))
    assert a.keys() == b.keys()
    different = [name for name in a if not torch.equal(a[name], b[name])]
    assert not different, different
    return True


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("name", TRANSLATORS)
def test_same_seed_same_result(name: str, precision: str) -> None:
    config, data = config_of(name, precision=precision)
    (_, first), (_, second) = run_of(config, data, "a"), run_of(config, data, "b")
    assert same(first.checkpoint, second.checkpoint)
    _, other = run_of(replace(config, seed=1), data, "c")
    weights = [load_checkpoint(outcome.checkpoint)["networks"]["generator"] for outcome in (first, other)]
    assert not all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])


class StopAfter(Observer):
    """Sends this process a signal at the n-th step."""

    def __init__(self, steps: int) -> None:
        self.steps = steps

    def stepped(self, state: TrainState) -> None:
        self.steps -= 1
        if self.steps == 0:
            signal.raise_signal(signal.SIGTERM)


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("name", TRANSLATORS)
def test_resumed_equals_never_stopped(name: str, precision: str) -> None:
    pool = {"pool": 5} if RECIPES[name].system == "unpaired" else {}  # neither empty nor full, then full
    config, data = config_of(name, precision=precision, **pool)
    _, outcome = run_of(config, data, "whole")
    for steps in (1, 3, 8):
        run, stopped = run_of(config, data, f"stopped-{steps}", StopAfter(steps))
        assert stopped.signal == signal.SIGTERM
        loaded, saved = Run(run.folder).load()
        assert loaded == config
        if pool:
            assert len(saved["extra"]["pool"]["images"]) == min(2 * steps, 5)
        resumed = run_loop(loaded, data, start_state(loaded, saved), Logbook(run), preview)
        assert same(outcome.checkpoint, resumed.checkpoint)


class Poison(Observer):
    """Makes a weight of one network infinite after the sixth step."""

    def __init__(self, part: str) -> None:
        self.part = part

    def stepped(self, state: TrainState) -> None:
        if state.step == 6:
            networks = state.networks | {f"average.{name}": average for name, average in state.averages.items()}
            next(networks[self.part].parameters()).data[0] = float("inf")


@pytest.mark.parametrize(
    ("name", "part"),
    [
        (name, part)
        for name in ("pix2pix-quick", "cyclegan-quick")
        for part in (
            *PARTS[RECIPES[name].system],
            *(f"average.{one}" for one in SYSTEMS[RECIPES[name].system].averaged),
        )
    ],
)
def test_values_that_are_not_finite_stop_the_run(name: str, part: str) -> None:
    config, data = config_of(name, checkpoint_every=8)
    run = create_run(Path("runs"), "a", config)
    with pytest.raises(Diverged, match=r"diverged at step \d+: .*(is not finite|is (nan|inf))"):
        run_loop(config, data, start_state(config), Logbook(run, [Poison(part)]), preview)
    assert load_checkpoint(run.newest_checkpoint())["images_seen"] == 8


def test_discriminators_have_a_learning_rate_of_their_own() -> None:
    config, _ = config_of("cyclegan-quick", d_lr=0.25, lr=0.01, decay_from=1.0)
    state = start_state(config)
    assert set_learning_rate(state, config.recipe) == 0.01
    rates = {name: optimizer.param_groups[0]["lr"] for name, optimizer in state.optimizers.items()}
    assert rates == {"g": 0.01, "d": 0.0025}


# Losses.


class Scale(nn.Module):
    """x -> factor * x, which can be trained and saved like a network."""

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = nn.Parameter(torch.tensor(factor))

    def forward(self, images: Tensor) -> Tensor:
        return self.factor * images


class Constant(nn.Module):
    """A discriminator with one logit for all patches."""

    def __init__(self, logit: float) -> None:
        super().__init__()
        self.logit = nn.Parameter(torch.tensor(logit))

    def forward(self, images: Tensor) -> Tensor:
        return self.logit.expand(len(images), 1, 3, 3) + 0 * images.mean()


def one_step(made: TranslationRecipe, networks: dict[str, nn.Module], **batch: Tensor) -> dict[str, float]:
    state = new_state(SYSTEMS[made.system], networks, made, torch.device("cpu"))
    return {name: float(loss) for name, loss in state.system.step(state, made, **batch).items()}


def pictures() -> dict[str, Tensor]:
    torch.manual_seed(3)
    return {"source": torch.rand(2, 3, 8, 8) * 2 - 1, "images": torch.rand(2, 3, 8, 8) * 2 - 1}


@pytest.mark.parametrize(("factor", "cycle", "identity"), [(1.0, 0.0, 0.0), (-1.0, 0.0, 2.0), (0.5, 0.75, 0.5)])
def test_cycle_and_identity_losses_of_known_networks(factor: float, cycle: float, identity: float) -> None:
    """The identity has no loss; a negative has none of the cycle; halving twice loses three quarters."""
    batch = pictures()
    sizes = float(batch["source"].abs().mean() + batch["images"].abs().mean())
    networks = {name: Scale(factor) for name in ("generator", "inverse")}
    critics = {name: Constant(0.25) for name in ("discriminator", "inverse_discriminator")}
    losses = one_step(recipe("cyclegan"), networks | critics, **batch)
    assert losses["cycle_loss"] == pytest.approx(cycle * sizes, abs=1e-6)
    assert losses["identity_loss"] == pytest.approx(identity * sizes, abs=1e-6)
    assert losses["g_loss"] == pytest.approx(2 * 0.75**2 / 2)  # Mao et al. 2017, equation 9, in both directions
    assert losses["d_loss"] == pytest.approx(2 * (0.75**2 + 0.25**2) / 2)


def test_the_weights_of_the_losses_of_cyclegan() -> None:
    """The gradient is that of Zhu et al. 2017, equation 3, with squares that are not halved, and of section 5.2."""
    batch, gradients = pictures(), []
    made = recipe("cyclegan", optimizer="rmsprop")
    for by_hand in (False, True):
        one, other, critic, inverse_critic = Scale(0.5), Scale(0.25), Constant(0.0), Constant(0.0)
        if by_hand:
            x, y = batch["source"], batch["images"]
            cycle = (other(one(x)) - x).abs().mean() + (one(other(y)) - y).abs().mean()
            identity = (one(y) - y).abs().mean() + (other(x) - x).abs().mean()
            loss = (critic(one(x)) - 1).square().mean() + (inverse_critic(other(y)) - 1).square().mean()
            (loss + 10 * cycle + 5 * identity).backward()  # type: ignore[no-untyped-call]
        else:
            networks = {"generator": one, "inverse": other, "discriminator": critic}
            one_step(made, networks | {"inverse_discriminator": inverse_critic}, **batch)
        gradients.append([float(scale.factor.grad) for scale in (one, other)])  # type: ignore[arg-type]
    assert gradients[0] == pytest.approx(gradients[1])


def test_weights_of_zero_leave_losses_out() -> None:
    networks = {name: Scale(0.5) for name in ("generator", "inverse")}
    critics = {name: Constant(0.0) for name in ("discriminator", "inverse_discriminator")}
    made = recipe("cyclegan", cycle_weight=0.0, identity_weight=0.0)
    assert set(one_step(made, networks | critics, **pictures())) == {"d_loss", "g_loss"}


def test_losses_of_the_identity_on_pairs() -> None:
    batch = pictures()
    losses = one_step(recipe("pix2pix"), {"generator": Scale(1.0), "discriminator": Constant(0.0)}, **batch)
    assert losses["l1_loss"] == pytest.approx(float((batch["source"] - batch["images"]).abs().mean()))
    assert losses["g_loss"] == pytest.approx(np.log(2))
    assert losses["d_loss"] == pytest.approx(2 * np.log(2))


def test_the_discriminator_sees_inputs_beside_outputs() -> None:
    made, shapes = recipe("pix2pix-quick", width=4), Shapes(ImageSize(64, 64, 3), 0, ImageSize(64, 64, 1))
    networks = new_networks(made, shapes)
    assert networks["generator"](torch.zeros(2, 1, 64, 64)).shape == (2, 3, 64, 64)
    assert networks["discriminator"](torch.zeros(2, 4, 64, 64)).shape[:2] == (2, 1)


def test_a_generator_of_ones_own_learns_from_pairs() -> None:
    own = nn.Sequential(nn.Conv2d(3, 3, 3, padding=1), nn.Tanh())
    rng = np.random.default_rng(0)
    data = {name: rng.integers(0, 256, (24, 32, 32, 3), dtype=np.uint8) for name in "AB"}
    place = {"device": "cpu", "threads": 1, "runs_dir": Path("runs")}
    before = own[0].weight.clone()
    for name, critic in (("pix2pix-l1", {}), ("pix2pix-quick", {"d_width": 8})):
        short = recipe(name, images=16, batch_size=8, width=8, **critic)
        train(data, short, networks={"generator": own}, name=name, **place)
        assert not torch.equal(own[0].weight, before)
    with pytest.raises(InputError, match="networks: the generator gives"):
        train(data, short, networks={"generator": nn.Conv2d(3, 4, 1)}, **place)


def test_without_adversarial_loss_there_is_no_discriminator() -> None:
    config, data = config_of("pix2pix-l1")
    state = start_state(config)
    assert (set(state.networks), set(state.optimizers)) == ({"generator"}, {"g"})
    losses = state.system.step(state, config.recipe, **batches_of(config, data).at(0))
    assert set(losses) == {"l1_loss"}


@pytest.mark.parametrize(
    ("name", "changes", "message"),
    [
        ("pix2pix", {"patch": 50}, "--patch 50: choose one of 16, 34, 70, 142, 286"),
        ("pix2pix", {"gan_weight": 0.0, "l1_weight": 0.0}, "there is no loss"),
        ("cyclegan", {"gan_weight": 0.0}, "--gan-weight 0: nothing else makes translations resemble"),
        ("cyclegan", {"l1_weight": 1.0}, "--l1-weight 1: unpaired does not use it"),
        ("cyclegan", {"latent_dim": 5}, "--latent-dim 5: unpaired does not use it"),
        ("pix2pix", {"objective": "wgan"}, "--objective wgan: unknown; choose one of lsgan, non-saturating, hinge"),
    ],
)
def test_settings_that_cannot_work(name: str, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        recipe(name, **changes)


def test_an_identity_loss_needs_the_same_channels() -> None:
    shapes = Shapes(ImageSize(16, 16, 3), 0, ImageSize(16, 16, 1))
    with pytest.raises(InputError, match="--identity-weight 5: the domains have 1 and 3 channels"):
        new_networks(recipe("cyclegan", patch=16), shapes)


# The pool.


def shown_by(pool: ImagePool, count: int) -> list[float]:
    return [float(pool(torch.full((1, 1, 1, 1), float(i)))) for i in range(count)]


def expected(size: int, count: int, coins: Sequence[bool], places: Sequence[int]) -> tuple[list[float], list[float]]:
    """What a pool shows and keeps: `coins` say whether an old image is shown, `places` which."""
    kept, shown = list[float](), list[float]()
    for i in range(count):
        if len(kept) < size:
            kept.append(i)
            shown.append(i)
        elif coins[i - size]:
            shown.append(kept[places[i - size]])
            kept[places[i - size]] = i
        else:
            shown.append(i)
    return shown, kept


@pytest.mark.parametrize("size", [1, 2, 3])
def test_the_rule_of_the_pool_by_enumeration(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """All outcomes of three throws of the coin and three choices of an image."""
    for coins, places in product(product((False, True), repeat=3), product(range(size), repeat=3)):
        throws, choices = iter(coins), iter([place for coin, place in zip(coins, places, strict=True) if coin])
        with monkeypatch.context() as patch:
            patch.setattr(torch, "rand", lambda *_, t=throws: torch.tensor(0.5 if next(t) else 0.49))
            patch.setattr(torch, "randint", lambda *_, c=choices: torch.tensor(next(c)))
            pool = ImagePool(size)
            shown = shown_by(pool, size + 3)
        assert (shown, pool.images.flatten().tolist()) == expected(size, size + 3, coins, places)


def test_the_pool_shows_half_of_the_new_images_and_all_old_ones_alike() -> None:
    torch.manual_seed(0)
    outcomes = []
    for _ in range(4000):
        pool = ImagePool(3)
        outcomes.append(shown_by(pool, 4)[-1])
    shares = np.bincount(np.array(outcomes, int)) / 4000
    np.testing.assert_allclose(shares, [1 / 6, 1 / 6, 1 / 6, 1 / 2], atol=0.03)  # four deviations


def test_a_pool_keeps_the_images_of_a_batch_one_by_one() -> None:
    pool, images = ImagePool(3), torch.arange(4.0).view(4, 1, 1, 1)
    assert torch.equal(pool(images)[:3], images[:3])
    assert pool.images.shape == (3, 1, 1, 1)
    assert not pool(images.clone().requires_grad_()).requires_grad
    assert ImagePool(0)(images) is images


def test_a_pool_is_saved_with_its_images() -> None:
    pool, other = ImagePool(4), ImagePool(4)
    other.load_state_dict(pool.state_dict())
    assert other.images.numel() == 0
    pool(torch.rand(3, 2, 5, 5))
    other.load_state_dict(pool.state_dict())
    assert torch.equal(other.images, pool.images)
    assert other.images is not pool.images


# Averages with batch norm.


def test_statistics_are_fitted_to_the_weights_of_the_average() -> None:
    """An average far from the network gives in evaluation what it gives with the statistics of training data."""
    config, data = config_of("pix2pix-quick", batch_size=36)
    average, source = start_state(config).averages["generator"], batches_of(config, data).at(0)["source"]
    for weight in average.parameters():
        weight.data.mul_(3.0)
    with torch.no_grad(), kept_statistics(average):
        wanted = average.train()(source)
        assert (average.eval()(source) - wanted).abs().mean() > 0.1
    for _ in range(20):
        fit_statistics(average, source, 0.5)
    assert (average(source) - wanted).abs().mean() < 0.005  # running variances are those of a sample


def test_averages_see_every_fourth_batch_and_do_not_average_statistics() -> None:
    config, data = config_of("cyclegan-quick")
    state, batches = start_state(config), batches_of(config, data)
    norms = {
        name: next(module for module in average.modules() if isinstance(module, nn.BatchNorm2d))
        for name, average in state.averages.items()
    }
    changed = []
    with state.random.used():
        for _ in range(6):
            before = {name: norm.running_mean.clone() for name, norm in norms.items()}  # type: ignore[union-attr]
            state.system.step(state, config.recipe, **batches.at(state.images_seen))
            state.step, state.images_seen = state.step + 1, state.images_seen + 2
            changed.append([not torch.equal(norm.running_mean, before[name]) for name, norm in norms.items()])
    assert changed == [[True, True], [False, False], [False, False], [False, False], [True, True], [False, False]]


def test_dropout_has_no_part_in_statistics_and_modes_are_kept() -> None:
    network = nn.Sequential(nn.Dropout(0.5), nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4))
    images, before = torch.rand(8, 3, 4, 4), torch.get_rng_state()
    fit_statistics(network, images, 1.0)
    assert torch.equal(torch.get_rng_state(), before)
    assert all(module.training for module in network.modules())
    values = network[1](images)
    torch.testing.assert_close(network[2].running_mean, values.mean((0, 2, 3)))
    torch.testing.assert_close(network[2].running_var, values.var((0, 2, 3)))


def test_a_generator_records_statistics_of_its_source_domain_alone() -> None:
    config, data = config_of("cyclegan-quick", identity_weight=5.0, lr=1e-12)
    state, batch = start_state(config), batches_of(config, data).at(0)
    first = next(module for module in state.networks["generator"].modules() if isinstance(module, nn.BatchNorm2d))
    seen: list[Tensor] = []
    first.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    with state.random.used():
        state.system.step(state, config.recipe, **batch)
    assert len(seen) == 3  # source, cycle, identity
    assert first.running_mean is not None
    torch.testing.assert_close(first.running_mean, 0.1 * seen[0].mean((0, 2, 3)).float(), atol=1e-4, rtol=0)
    assert first.momentum == 0.1
