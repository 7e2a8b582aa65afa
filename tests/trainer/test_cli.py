import io
import json
import os
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from helpers import FROM_LATENTS, Result, leftovers, replace_step
from PIL import Image

from gan_runtime import Generator
from gan_trainer.recipes.recipe import RECIPES
from gan_trainer.report import repeat
from gan_trainer.runs.folder import Run
from gan_trainer.systems import SYSTEMS
from gan_trainer.training.checkpoint import load_checkpoint
from gan_trainer.training.state import TrainState

Call = Callable[..., Result]
SHORT = ["--images", "256", "--threads", "1"]


def size_of(picture: str) -> tuple[int, int]:
    with Image.open(picture) as image:
        return image.size


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The real MNIST of the checkout."""
    return Path(__file__).resolve().parents[2] / "data"


@pytest.fixture
def run(call: Call) -> Path:
    """A short run of the default recipe on the real MNIST."""
    assert call("gan-train", "mnist", *SHORT, "--quiet").code == 0
    return Path("runs/mnist-quick")


def help_of(call: Call, *arguments: str) -> str:
    done = call("gan-train", *arguments)
    assert done.code == 0, done
    assert max(map(len, done.out.splitlines())) <= 80
    return done.out


def test_the_help_is_grouped(call: Call) -> None:
    lines = help_of(call, "--help").splitlines()
    titles = [line for line in lines if line.endswith(":") and not line.startswith(" ")]
    assert titles == ["Arguments:", "Run:", "Data:", "Recipe quick:", "Evaluation:", "Output:", "General:"]


@pytest.mark.parametrize("name", RECIPES)
def test_the_help_has_the_settings_of_a_recipe_as_defaults(call: Call, name: str) -> None:
    text = help_of(call, "--help", "--recipe", name)
    assert text == help_of(call, "--recipe", name, "-h")
    words, recipe = " ".join(text.split()), RECIPES[name]
    first = "--width INTEGER" if recipe.system == "stylegan2" else "--network TEXT"
    assert f"Recipe {name}: {first}" in words
    assert f"moments of Adam. [default: {' '.join(f'{beta:g}' for beta in recipe.betas)}]" in words
    assert f"Learning rate of all networks. [default: {recipe.lr:g}; at most 1]" in words
    if name in FROM_LATENTS:
        assert f"if the data have them. [default: {'on' if recipe.conditional else 'off'}]" in words
    assert ("--latent-dim" in words) == ("--conditional" in words) == (name in FROM_LATENTS)
    assert f"--images INTEGER Length of the run: real images shown to the networks. [default: {recipe.images};" in words
    assert ("--critic-steps" in words) == (recipe.system in ("gan", "bigan"))
    assert ("--cycle-weight" in words) == (recipe.system == "unpaired")
    assert ("--penalty TEXT" in words) == (recipe.system == "gan")


def test_the_help_of_an_unknown_recipe(call: Call) -> None:
    assert call("gan-train", "--recipe", "quik", "--help").refused("recipe 'quik': unknown; choose one of quick, gan")


@pytest.mark.parametrize(("recipe", "opset"), [("quick", 17), ("gan", 13)])
def test_train_export_sample(call: Call, recipe: str, opset: int) -> None:
    done = call("gan-train", "mnist", "--recipe", recipe, *SHORT, "--seed", 3, "--json")
    report = json.loads(done.out)
    assert done.code == 0
    assert (report["run"], report["images"], report["finished"]) == (f"runs/mnist-{recipe}", 256, True)
    assert Path(report["checkpoint"]).is_file()
    assert size_of(report["picture"]) == (280, 280)
    done = call("gan-export", "--opset", opset, "--json")
    report = json.loads(done.out)
    assert done.code == 0
    assert "the newest in runs" in done.err
    assert (report["output"], report["opset"]) == (f"exported/mnist-{recipe}.onnx", opset)
    done = call("gan-sample", "--n", 64, "out.png")
    assert f"model: exported/mnist-{recipe}.onnx, the newest" in done.err
    assert size_of("out.png") == (224, 224)
    generator = Generator.load(report["output"])
    assert generator.manifest is not None
    training = generator.manifest.training
    assert (training["recipe"], training["data"], training["images_seen"], training["seed"]) == (
        recipe,
        "mnist",
        256,
        3,
    )
    assert set(training["software"]) == {"gan-edge", "torch", "onnx", "python"}


def test_the_exported_file_draws_what_the_average_draws(call: Call, run: Path) -> None:
    call("gan-export", run, "--output", "x.onnx")
    from gan_trainer.systems import start_state
    from gan_trainer.training.config import Config

    saved = load_checkpoint(next((run / "checkpoints").glob("*.pt")))
    state = start_state(Config.from_dict(saved["config"], ""), saved)
    generator = Generator.load("x.onnx")
    z = np.random.default_rng(0).normal(size=(20, generator.latent_dim)).astype(np.float32)
    with torch.no_grad():
        images = state.averaged("generator").eval()(torch.from_numpy(z), torch.arange(20) % 10)
    expected = (images * 127.5 + 127.5).round().permute(0, 2, 3, 1).numpy()
    assert np.abs(generator(z).astype(int) - expected).max() <= 1


def test_plain_lines_off_a_terminal(call: Call) -> None:
    done = call("gan-train", "mnist", *SHORT, "--log-every", 128)
    device, first, *rest, report, last = done.err.splitlines()
    assert device.startswith("device: c")
    assert report == "report: runs/mnist-quick/report.html"
    assert last == "newest picture: runs/mnist-quick/samples/000000000256.png"
    assert first.startswith("runs/mnist-quick: quick on mnist, from image 0 of 256; cpu, 1 threads, ")
    assert [line.split(" images")[0] for line in rest] == ["128/256", "256/256"]
    assert all("  d " in line and "  g " in line and " images/s  0:0" in line for line in rest)
    assert "\x1b" not in done.err
    assert call("gan-train", "mnist", *SHORT, "--quiet").err == ""


def test_adaptive_augmentation_is_logged_and_repeated(call: Call) -> None:
    ada = ("--augment", "ada", "--ada-speed", 512, "--ada-target", -0.5, "--ada-groups", "blit,colour")
    done = call("gan-train", "mnist", *SHORT, "--log-every", 128, *ada)
    assert done.code == 0, done
    lines = [line for line in done.err.splitlines() if " images/s " in line]
    assert len(lines) == 2
    assert all(re.search(r"  ada_p [01]\.\d{3}  ada_r -?[01]\.\d{3}  ", line) for line in lines), lines
    run = Run(Path("runs/mnist-quick"))
    assert [set(entry) >= {"ada_p", "ada_r"} for entry in run.entries() if "lr" in entry] == [True, True]
    assert all(str(word) in repeat.command(run.config()).split() for word in ada)


def test_epochs_are_passes_over_the_data(call: Call) -> None:
    done = call("gan-train", "mnist", "--epochs", "0.01", "--batch-size", 600, "--threads", 1, "--json", "--quiet")
    assert json.loads(done.out)["images"] == 600


def test_runs_are_numbered_and_names_are_not_taken_twice(call: Call, run: Path) -> None:
    assert call("gan-train", "mnist", *SHORT, "--quiet").out == "runs/mnist-quick-2\n"
    assert call("gan-train", "mnist", *SHORT, "--name", "mnist-quick").refused("--name mnist-quick", "exists")


def test_a_finished_run_says_so(call: Call, run: Path) -> None:
    before = sorted((path, path.stat().st_mtime_ns) for path in run.rglob("*"))
    done = call("gan-train", "--resume", run)
    assert done.code == 0
    assert "finished: 256 of 256 images" in done.err
    assert sorted((path, path.stat().st_mtime_ns) for path in run.rglob("*")) == before


def test_a_resumed_run_keeps_its_settings(call: Call, run: Path) -> None:
    for option in (["--lr", "0.1"], ["--epochs", "2"], ["--seed", "1"], ["--eval-every", "64"], ["--init-from", "x"]):
        assert call("gan-train", "--resume", run, *option).refused(option[0], "its own settings")
    assert call("gan-train", "mnist", "--resume", run).refused("DATA")


def test_a_run_without_a_checkpoint_starts_at_the_beginning(call: Call, run: Path) -> None:
    first = load_checkpoint(next((run / "checkpoints").glob("*.pt")))
    for path in (run / "checkpoints").iterdir():
        path.unlink()
    assert call("gan-export", run).refused("no checkpoint")
    assert call("gan-train", "--resume", run, "--quiet").code == 0
    again = load_checkpoint(next((run / "checkpoints").glob("*.pt")))
    assert all(
        torch.equal(first["averages"]["generator"][name], again["averages"]["generator"][name])
        for name in first["averages"]["generator"]
    )


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], ["name a data set"]),
        (["cifar"], ["'cifar'", "mnist"]),
        (["mnist", "--recipe", "magic"], ["recipe 'magic'", "quick, gan"]),
        (["mnist", "--device", "tpu"], ["device 'tpu'"]),
        (["mnist", "--precision", "fp8"], ["precision 'fp8'"]),
        (["mnist", "--images", "0"], ["--images"]),
        (["mnist", "--images", "-1"], ["--images"]),
        (["mnist", "--images", "9999999999999"], ["--images"]),
        (["mnist", "--images", "1e6"], ["--images"]),
        (["mnist", "--epochs", "0"], ["--epochs 0"]),
        (["mnist", "--epochs", "-1"], ["--epochs -1"]),
        (["mnist", "--epochs", "nan"], ["--epochs nan"]),
        (["mnist", "--epochs", "1e9"], ["--epochs"]),
        (["mnist", "--epochs", "1", "--images", "5"], ["--images and --epochs"]),
        (["mnist", "--lr", "0"], ["--lr 0"]),
        (["mnist", "--lr", "-1"], ["--lr -1"]),
        (["mnist", "--lr", "nan"], ["--lr nan"]),
        (["mnist", "--lr", "1e9"], ["--lr"]),
        (["mnist", "--lr", "fast"], ["--lr"]),
        (["mnist", "--batch-size", "0"], ["--batch-size"]),
        (["mnist", "--batch-size", "65000"], ["--batch-size 65000", "60,000 images"]),
        (["mnist", "--batch-size", "9999999"], ["--batch-size"]),
        (["mnist", "--threads", "0"], ["--threads"]),
        (["mnist", "--threads", "100000"], ["--threads"]),
        (["mnist", "--seed", "-1"], ["--seed"]),
        (["mnist", "--preview-every", "0"], ["--preview-every"]),
        (["mnist", "--checkpoint-every", "0"], ["--checkpoint-every"]),
        (["mnist", "--name", "../x"], ["--name"]),
        (["mnist", "--data-dir", "nowhere"], ["mnist", "nowhere"]),
        (["mnist", "--runs-dir", "/proc/runs"], ["/proc/runs"]),
        (["--resume", "nowhere"], ["run nowhere", "not found"]),
        (["mnist", "--frobnicate"], ["--frobnicate"]),
    ],
)
def test_bad_arguments_get_one_line(call: Call, arguments: list[str], words: list[str]) -> None:
    assert call("gan-train", *arguments).refused(*words)
    assert not Path("runs").exists() or not list(Path("runs").iterdir())


def test_one_run_is_trained_by_one_process(call: Call, run: Path) -> None:
    from gan_trainer.runs.folder import Run

    for path in (run / "checkpoints").iterdir():
        path.unlink()
    with Run(run).locked():
        assert call("gan-train", "--resume", run).refused(str(run), "another process is training it")
    (run / "checkpoints" / ".gan-edge-1.tmp").touch()
    assert call("gan-train", "--resume", run, "--quiet").code == 0
    assert not leftovers(run)


def test_a_run_of_another_host_s_device_is_refused_here(call: Call, run: Path) -> None:
    if torch.cuda.is_available():
        pytest.skip("CUDA works here")
    for path in (run / "checkpoints").iterdir():
        path.unlink()
    config = json.loads((run / "config.json").read_text())
    (run / "config.json").write_text(json.dumps(config | {"device": "cuda"}))
    assert call("gan-train", "--resume", run).refused("device cuda: cannot be used")


def test_a_relative_data_dir_is_found_from_everywhere(
    call: Call, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("d").symlink_to(data)
    assert call("gan-train", "mnist", *SHORT, "--data-dir", "d", "--quiet").code == 0
    for path in Path("runs/mnist-quick/checkpoints").iterdir():
        path.unlink()
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert call("gan-train", "--resume", "../runs/mnist-quick", "--quiet").code == 0


def test_divergence_names_step_place_checkpoint_and_way_out(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    honest = SYSTEMS["gan"].step

    def poisoned(state: TrainState, *rest: Any, **batch: Any) -> Any:
        losses = honest(state, *rest, **batch)
        return losses | {"d_loss": losses["d_loss"] * (float("nan") if state.step == 2 else 1.0)}

    replace_step(monkeypatch, poisoned)
    done = call("gan-train", "mnist", *SHORT, "--checkpoint-every", 64, "--quiet")
    assert done.refused("diverged at step 3", "d_loss is nan", f"{128:012d}.pt", "lower --lr", code=1)
    assert load_checkpoint(Path(f"runs/mnist-quick/checkpoints/{128:012d}.pt"))["images_seen"] == 128


def test_too_little_memory_is_no_traceback(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    def greedy(*_: Any, **batch: Any) -> torch.Tensor:
        return torch.empty(2**60)

    replace_step(monkeypatch, greedy)
    assert call("gan-train", "mnist", *SHORT, "--quiet").refused("not enough memory", "--batch-size 64")


@pytest.mark.skipif(torch.cuda.is_available(), reason="CUDA works here")
def test_cuda_that_cannot_be_used_is_an_error(call: Call) -> None:
    assert call("gan-train", "mnist", "--device", "cuda").refused("device cuda: cannot be used: ")


def test_corrupt_data_is_named_with_its_digest(call: Call, data: Path, tmp_path: Path) -> None:
    for path in (data / "mnist").glob("*.gz"):
        content = bytearray(path.read_bytes())
        if path.name == "train-labels-idx1-ubyte.gz":
            content[len(content) // 2] ^= 1
        (tmp_path / path.name).write_bytes(content)
    assert call("gan-train", "mnist", "--data-dir", tmp_path).refused(
        "train-labels-idx1-ubyte.gz", "SHA-256", "replace it"
    )
    assert not Path("runs").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], ["runs", "no run with a checkpoint"]),
        (["nowhere"], ["run nowhere", "not found"]),
        (["--opset", "many"], ["--opset"]),
    ],
)
def test_export_refuses_bad_arguments(call: Call, arguments: list[str], words: list[str]) -> None:
    assert call("gan-export", *arguments).refused(*words)


def test_export_refuses_bad_runs_and_places(call: Call, run: Path) -> None:
    assert call("gan-export", run, "--opset", 12).refused("opset 12", "13 to 20")
    assert call("gan-export", run, "--output", "missing/x.onnx").refused("missing", "does not exist")
    assert call("gan-export", run, "--output", "x.png").refused("x.png", "ends in .onnx")
    run.rename("runs/mnist")
    assert call("gan-export").refused("shipped model", "--output")
    Path("runs/mnist").rename(run)
    checkpoint = next((run / "checkpoints").glob("*.pt"))
    content = checkpoint.read_bytes()
    for damaged in (content[:1000], b"", b"hello"):
        checkpoint.write_bytes(damaged)
        assert call("gan-export", run).refused(checkpoint.name, "corrupt")
        assert call("gan-train", "--resume", run).refused(checkpoint.name, "corrupt")
    for key, value in {
        "averages": {"generator": {"other": torch.zeros(1)}},
        "networks": {"generator": [1]},
        "images_seen": "x",
        "rng": {"cpu": torch.zeros(3, dtype=torch.uint8), "cuda": None},
        "format_version": "2",
        "config": {},
    }.items():
        saved = torch.load(io.BytesIO(content), weights_only=True)
        torch.save(saved | {key: value} | ({"images_seen": 64} if key != "images_seen" else {}), checkpoint)
        assert call("gan-train", "--resume", run).refused(checkpoint.name), key
        if key != "rng":
            assert call("gan-export", run).refused(checkpoint.name), key
    assert not list(Path("exported").glob("*.onnx"))
    assert not leftovers(Path())


def test_a_missing_extra_is_named(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "gan_trainer.commands.requirements.find_spec", lambda name: None if name == "torch" else object()
    )
    for command in ("gan-train", "gan-export"):
        assert call(command).refused("needs torch", "gan-edge[train,cpu]")


def test_a_progress_bar_on_a_terminal(tmp_path: Path) -> None:
    import pty
    import subprocess

    master, slave = pty.openpty()
    command = [Path(sys.executable).parent / "gan-train", "mnist", *SHORT]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=slave, env=os.environ | {"TERM": "xterm"})
    os.close(slave)
    shown = b""
    while True:
        try:
            piece = os.read(master, 4096)
        except OSError:  # the terminal's other side is closed
            break
        if not piece:
            break
        shown += piece
    out, _ = process.communicate(timeout=100)
    assert process.returncode == 0
    assert out == b"runs/mnist-quick\n"
    assert "256/256 images" in shown.decode()
    assert "100%" in shown.decode()
