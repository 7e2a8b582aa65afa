"""Training from Python: images in memory, callbacks, networks of one's own, and what torch's state is afterwards."""

import json
import os
import re
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from helpers import TRAIN, Result, tensors
from PIL import Image
from torch import nn

from gan_runtime import DataError, GanEdgeError, Generator, InputError
from gan_trainer import Observer, Run, load_settings, recipe, resume, train
from gan_trainer.data.arrays import in_memory
from gan_trainer.recipes.gan import GanRecipe
from gan_trainer.recipes.recipe import SETTINGS
from gan_trainer.report.repeat import command
from gan_trainer.runs import folder as folders
from gan_trainer.training.checkpoint import load_checkpoint
from gan_trainer.training.config import Config

ROOT = Path(__file__).parents[2]
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


REFUSED: list[tuple[dict[str, Any], str]] = [  # what was given, and the whole message of gan-train
    ({"batch_size": 70_000}, "--batch-size 70000: must be in [2, 65,536]"),
    ({"width": 1}, "--width 1: must be in [2, 4,096]"),
    ({"lr": 0.0}, "--lr 0: must be in (0.0, 1.0]"),
    ({"betas": (0.5, 1.0)}, "--betas 0.5 1: each must be in [0.0, 1.0)"),
    (
        {"objective": "wgan", "penalty": "none"},
        "--objective wgan: its critic needs a Lipschitz constraint; give --clip, --penalty or --d-norm spectral",
    ),
    (
        {"penalty": "gp", "d_norm": "batch"},
        "--penalty gp: is computed per image, and batch norm in the discriminator mixes images; choose --d-norm none, "
        "layer or spectral",
    ),
    ({"critic_steps": 2}, "--share-passes: it needs one discriminator step per generator step; --no-share-passes"),
    ({"lr_end": 0.5, "decay_from": 1.0}, "--lr-end: the learning rate does not decay; give --decay-from"),
    ({"precision": "fp8"}, "precision 'fp8': choose one of auto, fp32, bf16"),
    ({"seed": -1}, "--seed -1: must be in [0, 4,294,967,295]"),
    ({"threads": 0}, "--threads 0: must be in [1, 1,024]"),
    ({"keep_checkpoints": 0}, "--keep-checkpoints 0: must be in [1, 1,000,000]"),
    ({"epochs": 0.0}, "--epochs 0: must be in (0.0, 1,000,000]"),
    ({"images": 500, "epochs": 1.0}, "--images and --epochs: both give the length; choose one"),
    ({"device": "tpu"}, "device 'tpu': choose one of auto, cpu, cuda"),
    ({"name": "a/b"}, "--name 'a/b': must be a folder name without a path"),
    ({"size": 64}, "--size: has no effect on the data set mnist, only on a folder or .zip of images; leave it out"),
]


@pytest.mark.parametrize(("given", "message"), REFUSED, ids=[" ".join(given) for given, _ in REFUSED])
def test_python_and_the_command_refuse_in_the_same_words(call: Any, given: dict[str, Any], message: str) -> None:
    settings = {key: value for key, value in given.items() if key in SETTINGS["gan"].__dataclass_fields__}
    arguments = {key: value for key, value in given.items() if key not in settings}
    with pytest.raises(InputError) as refused:
        train("mnist", recipe("quick", **settings), **arguments)
    named = message.replace("--no-share-passes", "share_passes=False")
    assert str(refused.value) == re.sub("--([a-z-]+)", lambda flag: flag[1].replace("-", "_"), named)
    words = [
        word
        for key, value in given.items()
        for word in (f"--{key.replace('_', '-')}", *(value if isinstance(value, tuple) else [value]))
    ]
    assert call("gan-train", "mnist", *words).err == f"gan-train: error: {message}\n"
    assert not Path("runs").exists()


def test_a_recipe_that_is_made_directly_names_its_fields() -> None:
    with pytest.raises(InputError, match=r"^batch_size 1: must be in \[2, 65,536\]$"):
        GanRecipe("mine", batch_size=1)
    with pytest.raises(
        InputError, match=r"^objective wgan: its critic needs a Lipschitz constraint; give clip, penalty or d_norm"
    ):
        replace(recipe("quick", penalty="none"), objective="wgan")


def test_the_help_shows_the_bounds_of_settings(call: Any) -> None:
    shown = " ".join(call("gan-train", "--help").out.split())
    for words in ("[default: 64; 2 to 65536]", "0 to 4294967295]", "[at most 1000000]", "1 to 1024]", "at least 1]"):
        assert words in shown


def test_a_file_of_settings(call: Any) -> None:
    Path("run.toml").write_text("batch_sise = 3")
    assert call("gan-train", "--config", "run.toml").refused(
        "run.toml: unknown key 'batch_sise'; did you mean batch_size?"
    )
    for line, words in (
        ('seed = "x"', "seed 'x': must be a whole number"),
        ("seed = -1", "seed -1: must be in [0, 4,294,967,295]"),
        ("offline = 1", "offline 1: must be true or false"),
        ("batch_size = 70000", "batch_size 70000: must be in [1, 65,536]"),
        ("betas = [0.5]", "betas (0.5,): must be a list of 2 numbers"),
        ('latents = "cauchy"', "latents cauchy: unknown; choose one of normal, uniform"),
    ):
        Path("run.toml").write_text(line)
        assert call("gan-train", "--config", "run.toml").err == f"gan-train: error: run.toml: {words}\n"
        with pytest.raises(InputError, match=re.escape(f"run.toml: {words}")):
            load_settings("run.toml")
    Path("run.toml").write_text('recipe = "quick"\ncritic_steps = 2')
    with pytest.raises(
        InputError, match=r"^run.toml: share_passes: it needs one discriminator step per generator step"
    ):
        load_settings("run.toml")


class Squares(torch.utils.data.Dataset[Any]):
    """PIL images and labels, with names of classes, as the data sets of torchvision have them."""

    classes = ("dark", "light")

    def __len__(self) -> int:
        return 32

    def __getitem__(self, index: int) -> tuple[Image.Image, int]:
        return Image.new("L", (28, 28), 100 + index), index % 2


def test_a_torch_data_set_is_read_as_it_is(images: np.ndarray) -> None:
    named = in_memory(Squares())
    assert named.images.shape == (32, 28, 28, 1)
    assert named.images[:, 0, 0, 0].tolist() == list(range(100, 132))
    assert named.classes == ("dark", "light")
    floats = torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255
    same = in_memory(torch.utils.data.TensorDataset(floats, torch.arange(32) % 3))
    array = in_memory((images, np.arange(32) % 3))
    np.testing.assert_array_equal(same.images, images)
    assert (same.digest, same.classes) == (array.digest, array.classes)
    run = train(Squares(), recipe("quick", images=16, batch_size=8, width=8), name="squares", **PLACE)
    labels = Generator.load(run.export("x.onnx")).manifest.labels
    assert labels is not None
    assert labels.names == ("dark", "light")


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (3, "data of type int: give the name of a data set"),
        (np.zeros((4, 28, 28), np.uint8), r"images uint8 \[4, 28, 28\]: must be uint8 \[n, h, w, 1 or 3\]"),
        (np.zeros((4, 28, 28, 1), np.float32), "images float32"),
        ((np.zeros((4, 28, 28, 1), np.uint8), [0, 1]), r"one integer per image, \[4\]"),
        (torch.utils.data.TensorDataset(torch.full((2, 1, 28, 28), -1.0)), r"image 0 has values outside of \[0, 1\]"),
    ],
)
def test_images_in_memory_that_cannot_be_used_are_refused(data: Any, words: str) -> None:
    with pytest.raises(DataError, match=words):
        train(data, **PLACE)
    assert not Path("runs").exists()


class Interrupt(Observer):
    """Ctrl-C in the second step."""

    def stepped(self, state: Any) -> None:
        if state.step == 2:
            os.kill(os.getpid(), signal.SIGINT)


def test_ctrl_c_saves_a_checkpoint_and_raises(images: np.ndarray) -> None:
    short = recipe("quick", images=64, batch_size=8, width=8)
    train(images, short, name="whole", **PLACE)
    with pytest.raises(KeyboardInterrupt, match=r"saved .*000000000016\.pt"):
        train(images, short, name="stopped", callbacks=[Interrupt()], **PLACE)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    resume("stopped", data=images)
    assert_same_weights("whole", "stopped")


def test_a_run_is_repeated_from_its_configuration(call: Any, two_folders: None) -> None:
    assert call(*TRAIN, "--seed", 3, "--lr", 0.001, "--name", "first").code == 0
    done = call("gan-train", "--config", "runs/first/config.json", "--name", "second", "--quiet")
    assert done.code == 0, done
    assert_same_weights("first", "second")
    train(**load_settings("runs/first/config.json"), name="third")
    assert_same_weights("first", "third")


@pytest.mark.parametrize("name", ["quick", "vae"])
def test_the_configuration_of_an_old_run_is_used_and_flags_override_it(call: Any, name: str) -> None:
    old = ROOT / "tests/fixtures/format-2" / name / "config.json"
    done = call("gan-train", "--config", old, "--images", 64, "--data-dir", ROOT / "data", "--offline", "--quiet")
    assert done.code == 0, done
    before = Config.from_dict(json.loads(old.read_text()), str(old))
    after = folders.Run(Path(done.out.strip())).config()
    assert after.recipe == replace(before.recipe, images=64, source=after.recipe.source)
    assert (after.seed, after.device, after.threads) == (before.seed, before.device, before.threads)


def test_the_library_and_the_help_load_no_torch() -> None:
    for words in (["-c", "import gan_trainer"], ["-m", "gan_trainer.commands.train", "--help"]):
        command = [sys.executable, "-X", "importtime", *words]
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
        loaded = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
        assert "gan_trainer" in loaded
        assert not loaded & {"torch", "numpy", "onnxruntime"}, words


def test_the_report_of_a_run_in_memory_shows_the_call_that_repeats_it(images: np.ndarray) -> None:
    data = (images, np.arange(32) % 2)
    short = recipe("quick", images=16, batch_size=8, width=8)
    run = train(data, short, class_names=["a", "b"], seed=3, name="first", **PLACE)
    shown = command(folders.Run(run.folder).config())
    again = eval(shown, {"train": train, "recipe": recipe, "data": data})
    assert_same_weights("first", again.folder.name)
    assert '"command": "train(data, recipe(' in run.report.read_text()


def test_why_a_run_is_not_evaluated_is_told_to_its_callbacks(
    digits: str, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    messages: list[str] = []

    class Warned(Observer):
        def warned(self, message: str) -> None:
            messages.append(message)

    def broken(*_: Any, **__: Any) -> Path:
        raise GanEdgeError("no network here")

    monkeypatch.setattr("gan_trainer.tasks.features.find_features", broken)
    monkeypatch.setattr("gan_trainer.runs.history.FINAL_SAMPLES", 16)
    capfd.readouterr()
    train(digits, recipe("quick", images=16, batch_size=8, width=8), callbacks=[Warned()], **PLACE)
    assert messages == ["not evaluated: no network here"]
    assert capfd.readouterr().err == ""


def assert_same_weights(*names: str) -> None:
    """The last checkpoints of runs have the same weights, bit for bit."""
    first, *others = (load_checkpoint(Run(Path("runs") / name).checkpoint) for name in names)  # type: ignore[arg-type]
    for other in others:
        for part in ("networks", "averages", "optimizers"):
            here, there = dict(tensors(first[part], part)), dict(tensors(other[part], part))
            assert here.keys() == there.keys()
            assert all(torch.equal(here[name], there[name]) for name in here)
