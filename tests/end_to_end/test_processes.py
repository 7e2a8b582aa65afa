"""Commands as real processes: stopped, killed, resumed."""

import json
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from helpers import Result, leftovers, tensors

from gan_trainer.training.checkpoint import load_checkpoint

ROOT = Path(__file__).resolve().parents[2]
TRAIN = Path(sys.executable).parent / "gan-train"
MNIST = ["mnist", "--width", "16", "--threads", "1", "--quiet"]
SETTINGS = [*MNIST, "--images", "2560", "--checkpoint-every", "256", "--log-every", "512"]


def start(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen([TRAIN, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def wait_for(found: Callable[[], object], process: subprocess.Popen[str], seconds: float = 100) -> None:
    """Until `found`, or until `process` has ended or had so many seconds, which fails the test and ends the process."""
    end = time.monotonic() + seconds
    while not found():
        if time.monotonic() > end:
            process.kill()
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)


def assert_same(one: Path, other: Path) -> None:
    name = f"checkpoints/{2560:012d}.pt"
    a, b = (dict(tensors(load_checkpoint(run / name))) for run in (one, other))
    assert a.keys() == b.keys()
    assert not [key for key in a if not torch.equal(a[key], b[key])]
    logs = [[json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()] for run in (one, other)]
    assert [(entry["images"], entry["d_loss"]) for entry in logs[0]] == [(e["images"], e["d_loss"]) for e in logs[1]]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_saves_a_checkpoint_and_says_where(number: signal.Signals) -> None:
    run = Path("runs/mnist-quick")
    process = start(*MNIST, "--checkpoint-every", "640", "--eval-every", "0")
    wait_for(lambda: list(run.glob("checkpoints/*.pt")), process)
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 128 + number
    assert out == f"{run}\n"
    newest = max(run.glob("checkpoints/*.pt"))
    assert f"saved {newest}; gan-train --resume {run}" in err
    assert "Traceback" not in err
    assert load_checkpoint(newest)["images_seen"] == int(newest.stem)
    assert not leftovers(run)


def test_killed_at_random_moments_it_ends_with_the_same_weights() -> None:
    """benchmarks/kill_and_resume.py does the same at length."""
    start(*SETTINGS, "--name", "whole").communicate(timeout=100)
    chance, killed, kills = random.Random(0), Path("runs/killed"), 0
    process = start(*SETTINGS, "--name", "killed")
    for begun in ("config.json", f"checkpoints/{256:012d}.pt"):  # before the first step, and between two checkpoints
        wait_for((killed / begun).exists, process)
        time.sleep(chance.uniform(0, 0.1))
        process.kill()
        process.communicate()
        kills += process.returncode == -signal.SIGKILL
        process = start("--resume", str(killed), "--quiet")
    out, err = process.communicate(timeout=100)
    assert kills
    assert (process.returncode, out) == (0, "runs/killed\n"), err
    assert_same(Path("runs/whole"), killed)


def test_sigterm_leaves_no_half_written_output(conditional_model: Path) -> None:
    sample = Path(sys.executable).parent / "gan-sample"
    arguments = ["--n", "5000000", "out.npy", "--model", str(conditional_model)]
    process = subprocess.Popen([sample, *arguments], stderr=subprocess.PIPE, text=True)
    wait_for(lambda: leftovers(Path()), process)
    process.terminate()
    process.communicate(timeout=30)
    assert process.returncode == 128 + signal.SIGTERM
    assert not list(Path().iterdir())


def test_the_front_door_lists_every_command() -> None:
    for arguments in ([], ["--help"], ["train", "--help"], ["sample", "--help"]):
        command = [sys.executable, ROOT / "cli.py", *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        assert "Usage: cli.py" in done.stdout
        if len(arguments) < 2:
            assert all(f"\n  {name} " in done.stdout for name in ("train", "export", "sample", "info", "data"))


def test_the_front_door_samples_from_any_folder() -> None:
    command = [sys.executable, ROOT / "cli.py", "sample", "--n", "4", "out.png"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert (done.stdout, Path("out.png").exists()) == ("out.png\n", True)


def test_the_runtime_never_imports_torch_or_onnx(process: Callable[..., Result]) -> None:
    code = (
        "import sys; sys.argv = ['gan-sample', '--n', '4', 'out.png'];"
        "import gan_runtime.terminal.commandline as c; c.leave = lambda code: code;"
        "import pkgutil, importlib, gan_runtime;"
        "[importlib.import_module(m.name) for m in pkgutil.walk_packages(gan_runtime.__path__, 'gan_runtime.')];"
        "from gan_runtime.commands.sample import sample_main; sample_main();"
        "print(sorted({'torch', 'onnx', 'gan_trainer'} & {name.split('.')[0] for name in sys.modules}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "out.png\n[]\n"


def test_help_and_version_load_nothing_heavy() -> None:
    for main in ("gan_runtime.commands.sample.sample_main", "gan_trainer.commands.train.train_main"):
        module = main.rpartition(".")[0]
        for option in ("--help", "--version"):
            code = (
                f"import sys, {module}, gan_runtime.terminal.commandline as c; "
                f"c.leave = print; sys.argv[1:] = ['{option}'];"
                f"{main}(); print(sorted({{'torch', 'onnxruntime', 'numpy', 'PIL'}} & set(sys.modules)))"
            )
            done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
            assert done.stdout.endswith("\n[]\n")


def test_installed_commands_answer(process: Callable[..., Result]) -> None:
    for command in ("gan-train", "gan-export", "gan-sample", "gan-info", "gan-data"):
        assert process(command, "--version").out.startswith("gan-edge ")
    assert process("gan-sample", "--n", "0", "out.png").refused("--n", code=2)
    assert process("gan-sample", "out.png", "--model", "nowhere.onnx").refused("nowhere.onnx", code=1)


def test_the_demo_data_is_found_through_the_environment(
    call: Callable[..., Result], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GAN_EDGE_DATA", str(tmp_path))
    assert call("gan-train", *MNIST, "--images", "64").code == 0
    (tmp_path / "train-images-idx3-ubyte.gz").write_bytes(b"x")
    (tmp_path / "train-labels-idx1-ubyte.gz").write_bytes(b"x")
    done = call("gan-train", *MNIST, "--images", "64")
    assert done.refused(str(tmp_path), "corrupt")
    assert [path.name for path in Path("runs").iterdir()] == ["mnist-quick"]
