"""Training with torch.compile: the same losses to rounding, and one line where it does not work."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from helpers import Result
from torch import nn

import gan_trainer
from gan_runtime.data import Dataset
from gan_runtime.errors import DeviceError, InputError
from gan_trainer.recipes.recipe import Recipe
from gan_trainer.report.repeat import command
from gan_trainer.runs.folder import Run
from gan_trainer.training.compiling import check_compiler
from gan_trainer.training.config import Config
from gan_trainer.training.determinism import fast_on_gpu

Call = Callable[..., Result]
SHORT = ("digits", "--batch-size", 32, "--log-every", 32, "--eval-every", 0, "--quiet")


@pytest.fixture
def traced(monkeypatch: pytest.MonkeyPatch) -> None:
    """Graphs are traced as for a compiler, and run without one, which takes minutes."""
    monkeypatch.setattr("gan_trainer.training.compiling.BACKEND", "aot_eager")


def losses(name: str) -> list[tuple[float, float]]:
    entries = map(json.loads, Path(f"runs/{name}/metrics.jsonl").read_text().splitlines())
    return [(entry["d_loss"], entry["g_loss"]) for entry in entries if "d_loss" in entry]


@pytest.mark.filterwarnings("ignore:The .grad attribute")  # torch itself hides it
@pytest.mark.usefixtures("digits", "traced")
def test_a_compiled_run_has_the_losses_of_a_plain_one(call: Call) -> None:
    for name, flags in (("plain", []), ("compiled", ["--compile"])):
        assert call("gan-train", *SHORT, "--recipe", "gan", "--images", 128, "--name", name, *flags).code == 0
    assert len(losses("plain")) == 4
    assert losses("compiled") == [pytest.approx(both, rel=1e-4) for both in losses("plain")]


def compilations(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The classes of the networks that will be compiled."""
    found: list[str] = []
    monkeypatch.setattr(nn.Module, "compile", lambda self, **_: found.append(type(self).__name__))
    return found


@pytest.mark.usefixtures("digits", "traced")
def test_a_resumed_run_goes_on_compiled_as_it_began(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    compiled = compilations(monkeypatch)
    begin = ("gan-train", *SHORT, "--recipe", "gan", "--images", 64, "--name", "run", "--compile")
    assert call(*begin).code == 0
    assert len(compiled) == 2
    path = Path("runs/run/config.json")
    assert json.loads(path.read_text())["compile"] is True

    go_on = ("gan-train", "--resume", "runs/run", "--images")
    assert call(*go_on, 96, "--quiet").code == 0
    assert len(compiled) == 4
    ended = call(*go_on, 128, "--no-compile")
    assert (ended.code, len(compiled)) == (0, 4)
    assert "compile: no instead of yes; results may differ in their last bits" in ended.err
    assert call(*go_on, 160, "--quiet").code == 0
    assert len(compiled) == 4
    assert call(*go_on, 192, "--quiet", "--compile").code == 0
    assert len(compiled) == 6
    assert [change["new"] for change in json.loads(path.read_text())["history"] if change["field"] == "compile"] == [
        False,
        True,
    ]


@pytest.mark.usefixtures("digits")
def test_runs_without_the_entry_are_not_compiled(call: Call) -> None:
    assert call("gan-train", *SHORT, "--recipe", "gan", "--images", 64, "--name", "old").code == 0
    document = json.loads(Path("runs/old/config.json").read_text())
    del document["compile"]
    assert Config.from_dict(document, "config.json").compile is False


@pytest.mark.usefixtures("digits", "traced")
def test_a_run_that_was_compiled_is_repeated_compiled(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    compilations(monkeypatch)
    for name, flags in (("plain", ()), ("compiled", ("--compile",))):
        assert call("gan-train", *SHORT, "--recipe", "gan", "--images", 64, "--name", name, *flags).code == 0
    commands = [command(Run(Path(f"runs/{name}")).config()) for name in ("plain", "compiled")]
    assert [("compile" in words, words.endswith("--compile")) for words in commands] == [(False, False), (True, True)]


@pytest.mark.parametrize("recipe", ["wgan-gp", "quick", "stylegan2-small"])
@pytest.mark.usefixtures("digits", "traced")
def test_recipes_with_gradient_penalties_are_refused_before_there_is_a_run(call: Call, recipe: str) -> None:
    ended = call("gan-train", *SHORT, "--recipe", recipe, "--images", 320, "--compile")
    assert ended.refused("--compile: torch.compile has no derivatives of gradients", "leave it out")
    assert not Path("runs").exists()


@pytest.mark.filterwarnings("ignore")  # what torch says while it traces
@pytest.mark.usefixtures("traced")
@pytest.mark.parametrize("recipe", [gan_trainer.recipe("wgan-gp", width=8), gan_trainer.recipe("stylegan2-small")])
def test_what_is_refused_does_not_work(recipe: Recipe, dataset: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(type(recipe), "differentiates_twice", False)
    with pytest.raises((InputError, RuntimeError), match=r"derivatives of gradients|in-place operation"):
        gan_trainer.train(dataset.images, recipe, compile=True, device="cpu", threads=1)


@pytest.mark.filterwarnings("ignore")  # what torch says while it traces
@pytest.mark.usefixtures("traced")
def test_path_lengths_do_not_hinder_the_compiler(dataset: Dataset) -> None:
    small = {"batch_size": 32, "images": 64, "eval_every": 0, "width": 8, "max_width": 8, "mapping_layers": 1}
    recipe = gan_trainer.recipe("stylegan2-small", gamma=0.0, path_weight=2.0, **small)
    gan_trainer.train(dataset.images, recipe, compile=True, device="cpu", threads=1)


def test_a_missing_compiler_is_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr("torch._inductor.config.cpp.cxx", ("no-such-compiler",))
    torch._dynamo.reset()
    with pytest.raises(
        DeviceError, match=r"^--compile: torch\.compile does not work here: .*; install g\+\+"
    ) as refused:
        check_compiler("cpu")
    assert "\n" not in str(refused.value)


def test_settings_for_gpus_are_restored() -> None:
    def settings() -> tuple[str, bool]:
        return torch.get_float32_matmul_precision(), torch.backends.cudnn.benchmark

    before = settings()
    with fast_on_gpu(torch.device("cpu")):
        assert settings() == before
    with fast_on_gpu(torch.device("cuda")):
        assert settings() == ("high", True)
    assert settings() == before


@pytest.mark.filterwarnings("ignore:The .grad attribute")  # torch itself hides it
@pytest.mark.usefixtures("traced")
def test_networks_of_ones_own_are_not_compiled_after_the_run(dataset: Dataset) -> None:
    pixels = dataset.images[0].size
    generator = nn.Sequential(nn.Linear(8, pixels), nn.Tanh(), nn.Unflatten(1, (1, 8, 8)))
    critic = nn.Sequential(nn.Flatten(), nn.Linear(pixels, 1), nn.Flatten(0))
    recipe = gan_trainer.recipe("gan", latent_dim=8, images=64, batch_size=32, eval_every=0)
    networks = {"generator": generator, "discriminator": critic}
    run = gan_trainer.train(dataset.images, recipe, networks=networks, compile=True, device="cpu", threads=1)
    assert all(network._compiled_call_impl is None for network in networks.values())
    assert run.export("own.onnx").is_file()
