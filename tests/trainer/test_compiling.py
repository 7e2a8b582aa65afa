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
from gan_runtime.errors import DeviceError
from gan_trainer.training.compiling import check_compiler
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
    ended = call("gan-train", "--resume", "runs/compiled", "--images", 160, "--compile", "--quiet")
    assert (ended.code, len(losses("compiled"))) == (0, 5)


@pytest.mark.filterwarnings("ignore:The .grad attribute")  # torch itself hides it
@pytest.mark.usefixtures("digits", "traced")
def test_recipes_with_gradient_penalties_are_refused(call: Call) -> None:
    ended = call("gan-train", *SHORT, "--recipe", "wgan-gp", "--width", 16, "--images", 320, "--compile")
    assert ended.refused("--compile: torch.compile has no derivatives of gradients", "leave it out")


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
