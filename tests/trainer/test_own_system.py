"""A system of one's own is one file and one line: BEGAN (Berthelot et al. 2017), from settings to step."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import torch
from helpers import Result, tensors
from torch import Tensor, nn

from gan_runtime import Generator
from gan_runtime.manifest import ImageSize
from gan_trainer.networks import new_encoder, new_generator
from gan_trainer.recipes.base import setting
from gan_trainer.recipes.latents import LatentRecipe
from gan_trainer.recipes.recipe import RECIPES, SETTINGS
from gan_trainer.systems import SYSTEMS, register
from gan_trainer.training.checkpoint import load_checkpoint
from gan_trainer.training.state import TrainState, update_averages
from gan_trainer.training.step import descend, draw_latents
from gan_trainer.training.system import Shapes, System


@dataclass(frozen=True)
class BeganRecipe(LatentRecipe):
    """A generator against an autoencoder: the balance of the two losses is kept at `gamma`."""

    system: str = field(default="began", init=False)
    gamma: float = setting(1.0, "Loss of generated images as a share of that of real ones.", min=0.0, max=1.0)
    rate: float = setting(0.001, "How fast the weight of generated images follows.", min=0.0, max=1.0)


class Balance(nn.Module):
    """k of equation 8, which belongs to the state of a run."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("k", torch.zeros(()))


class Autoencoder(nn.Module):
    """The discriminator: images [n, c, h, w] to their reconstruction errors [n]."""

    def __init__(self, recipe: BeganRecipe, size: ImageSize) -> None:
        super().__init__()
        body = recipe.network, size, recipe.width, recipe.g_norm, recipe.latent_dim
        self.encoder, self.decoder = new_encoder(*body), new_generator(*body, 0)

    def forward(self, images: Tensor) -> Tensor:
        return (images - self.decoder(self.encoder(images))).abs().flatten(1).mean(1)


def networks(recipe: BeganRecipe, shapes: Shapes) -> dict[str, nn.Module]:
    body = recipe.network, shapes.size, recipe.width, recipe.g_norm, recipe.latent_dim
    generator = new_generator(*body, shapes.classes)
    return {"generator": generator, "discriminator": Autoencoder(recipe, shapes.size)}


def step(state: TrainState, recipe: BeganRecipe, images: Tensor, labels: Tensor) -> dict[str, Tensor]:
    """Equation 8: L(x) - k L(G(z)) for the discriminator, L(G(z)) for the generator, and k moves by the balance."""
    generator, error, balance = (*state.networks.values(), state.extra["balance"])
    real_loss = error(images).mean()
    d_loss = real_loss - balance.k * error(generator(draw_latents(recipe, images)).detach()).mean()
    descend(state, "d", d_loss)
    g_loss = error(generator(draw_latents(recipe, images))).mean()
    descend(state, "g", g_loss)
    balance.k += recipe.rate * (recipe.gamma * real_loss - g_loss).detach()
    balance.k.clamp_(0, 1)
    state.counters["g_steps"] += 1
    update_averages(state, recipe, recipe.batch_size)
    return {"d_loss": d_loss.detach(), "g_loss": g_loss.detach(), "k": balance.k.clone()}


SYSTEM = System(
    networks,
    step,
    optimizers={"g": ("generator",), "d": ("discriminator",)},
    extra=lambda recipe: {"balance": Balance()},
    counters=("g_steps",),
)


@pytest.fixture
def began(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for table in (SYSTEMS, SETTINGS, RECIPES):
        for name in ("began", "began-fast"):
            monkeypatch.delitem(table, name, raising=False)  # type: ignore[arg-type]
    tables = [(table, dict(table)) for table in (SYSTEMS, SETTINGS, RECIPES)]
    register(SYSTEM, BeganRecipe, {"began": BeganRecipe(source="Berthelot et al. 2017", network="mlp", width=8)})
    yield
    for table, before in tables:
        table.clear()
        table.update(before)  # type: ignore[arg-type]


LENGTH = ("--images", 64, "--batch-size", 8, "--ema-half-life", 100, "--latent-dim", 4)
PLACE = ("--size", 28, "--mode", "L", "--threads", 1, "--device", "cpu", "--quiet", "--eval-every", 0)


def test_a_system_of_ones_own_is_trained_resumed_and_exported(call, two_folders: None, began: None) -> None:
    def train(name: str, *more: object) -> Result:
        return call("gan-train", "a", "--recipe", "began", "--name", name, *LENGTH, *PLACE, *more)

    assert train("whole").code == 0
    assert train("cut", "--checkpoint-every", 32).code == 0
    Path(f"runs/cut/checkpoints/{64:012d}.pt").unlink()
    assert call("gan-train", "--resume", "runs/cut", "--quiet").code == 0
    whole, cut = (load_checkpoint(Path(f"runs/{name}/checkpoints/{64:012d}.pt")) for name in ("whole", "cut"))
    for part in ("networks", "averages", "optimizers", "extra", "rng"):
        pairs = list(zip(tensors(whole[part], part), tensors(cut[part], part), strict=True))
        assert pairs
        assert all(torch.equal(one, other) for (_, one), (_, other) in pairs), part
    assert whole["extra"]["balance"]["k"] > 0
    assert call("gan-export", "runs/whole", "--output", "x.onnx").code == 0
    assert Generator.load("x.onnx").sample(3).shape == (3, 28, 28, 1)


def test_its_settings_are_its_own(call, two_folders: None, began: None) -> None:
    arguments = ("gan-train", "a", "--recipe", "began", *LENGTH, *PLACE)
    assert call(*arguments, "--penalty", "r1").refused("--penalty r1: began does not use it; leave it out")
    assert call(*arguments, "--penalty", "none").code == 0


def test_a_run_of_a_system_that_is_not_there_says_so(call, two_folders: None, began: None) -> None:
    assert call("gan-train", "a", "--recipe", "began", "--name", "r", *LENGTH, *PLACE).code == 0
    del SETTINGS["began"]
    assert call("gan-train", "--resume", "runs/r").refused("its system 'began' is unknown", "register")
