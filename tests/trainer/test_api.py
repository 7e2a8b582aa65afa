"""Training from Python: images in memory, callbacks, networks of one's own, and what torch's state is afterwards."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from helpers import Result
from torch import nn

from gan_runtime import Generator, InputError
from gan_trainer import Observer, recipe, resume, train

PLACE: dict[str, Any] = {"device": "cpu", "threads": 1}


@pytest.fixture
def images() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (32, 28, 28, 1), dtype=np.uint8)


def test_an_array_is_trained_on_resumed_and_exported(images: np.ndarray, capfd: pytest.CaptureFixture[str]) -> None:
    class Counting(Observer):
        steps = 0

        def stepped(self, state: Any) -> None:
            self.steps += 1

    before, counting, data = torch.get_rng_state(), Counting(), (images, np.arange(32) % 3)
    run = train(data, recipe("quick", images=32, batch_size=8, width=8), callbacks=[counting], name="r", **PLACE)
    assert counting.steps == 4
    assert run.outcome is not None
    assert run.outcome.finished
    assert resume(run, images=48, data=data).history[-1]["images"] == 48
    assert Generator.load(run.export("x.onnx", opset=17)).sample(2).shape == (2, 28, 28, 1)
    assert torch.equal(torch.get_rng_state(), before)
    assert capfd.readouterr().err == ""


def test_networks_of_ones_own_are_trained_in_place_and_exported(images: np.ndarray, call: Any) -> None:
    generator = nn.Sequential(nn.Linear(64, 784), nn.Tanh(), nn.Unflatten(1, (1, 28, 28)))
    critic = nn.Sequential(nn.Flatten(), nn.Linear(784, 1), nn.Flatten(0))
    short = recipe("quick", images=32, batch_size=8)
    with pytest.raises(InputError, match=r"the generator must take latents float \[2, 64\]"):
        train(images, short, networks={"generator": critic}, **PLACE)
    assert not Path("runs").exists()
    before = generator[0].weight.detach().clone()
    run = train(images, short, networks={"generator": generator, "discriminator": critic}, name="own", **PLACE)
    assert not torch.equal(generator[0].weight, before)
    assert Generator.load(run.export("x.onnx")).sample(2).shape == (2, 28, 28, 1)
    done: Result = call("gan-export", "runs/own", "--output", "y.onnx")
    assert done.refused("given in Python", "gan_trainer.Run")


@pytest.mark.parametrize(
    "bad",
    [
        {"batch_size": 70_000},
        {"lr": 0.0},
        {"penalty": "gp", "d_norm": "batch"},
        {"objective": "wgan", "penalty": "none"},
    ],
)
def test_python_and_the_command_refuse_in_the_same_words(call: Any, bad: dict[str, Any]) -> None:
    with pytest.raises(InputError) as refused:
        recipe("quick", **bad)
    assert "--" not in str(refused.value)
    if "batch_size" not in bad:  # the command line checks that bound itself
        flags = [word for key, value in bad.items() for word in (f"--{key.replace('_', '-')}", value)]
        told = call("gan-train", "mnist", *flags).err.partition("error: ")[2].strip()
        assert "".join(c for c in told if c.isalnum()) == "".join(c for c in str(refused.value) if c.isalnum())


def test_a_file_of_settings(call: Any) -> None:
    Path("run.toml").write_text("batch_sise = 3")
    assert call("gan-train", "--config", "run.toml").refused(
        "run.toml: unknown key 'batch_sise'; did you mean batch_size?"
    )
    Path("run.toml").write_text('seed = "x"')
    assert call("gan-train", "--config", "run.toml").refused("run.toml: seed: 'x' must be a whole number")
