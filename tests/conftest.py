"""Shared by all tests: commands as a user calls them, and small real models made by the project itself."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from helpers import DIGITS_TEST, DIGITS_TRAIN, Result, idx_source, new_generator, small_generator

from gan_runtime.data import load_dataset
from gan_runtime.data.registry import SOURCES

ROOT = Path(__file__).resolve().parents[1]
BIN = Path(sys.executable).parent

os.environ.setdefault("OMP_NUM_THREADS", "1")  # how many threads a run has must not depend on the load
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell has what it starts in the background ignore it


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test works in an empty folder, untouched by the user's environment, and downloads nothing."""
    monkeypatch.chdir(tmp_path)
    for name in ("GAN_EDGE_DATA", "GAN_EDGE_MIRROR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("GAN_EDGE_OFFLINE", "1")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture(autouse=True)
def _few_subsets(monkeypatch: pytest.MonkeyPatch) -> None:
    """Kernel distances are means of two subsets, not of fifty: most of the time of an evaluation of few images."""
    monkeypatch.setattr("gan_runtime.evaluation.scores.KID_SUBSETS", 2)


@pytest.fixture
def call(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Run a command within this process: its exit code and what it printed."""
    from gan_runtime.commands import bench as cli_bench
    from gan_runtime.commands import data as cli_data
    from gan_runtime.commands import encode as cli_encode
    from gan_runtime.commands import evaluate as cli_eval
    from gan_runtime.commands import info as cli_info
    from gan_runtime.commands import sample as cli_sample
    from gan_runtime.commands import translate as cli_translate
    from gan_runtime.commands import upscale as cli_upscale
    from gan_trainer.commands import compare as cli_compare
    from gan_trainer.commands import export as cli_export
    from gan_trainer.commands import features as cli_features
    from gan_trainer.commands import project as cli_project
    from gan_trainer.commands import train as cli_train

    mains = {
        "gan-train": cli_train.train_main,
        "gan-export": cli_export.export_main,
        "gan-sample": cli_sample.sample_main,
        "gan-info": cli_info.info_main,
        "gan-data": cli_data.data_main,
        "gan-translate": cli_translate.translate_main,
        "gan-upscale": cli_upscale.upscale_main,
        "gan-bench": cli_bench.bench_main,
        "gan-encode": cli_encode.encode_main,
        "gan-eval": cli_eval.eval_main,
        "gan-compare": cli_compare.compare_main,
        "gan-features": cli_features.features_main,
        "gan-project": cli_project.project_main,
    }

    def call(command: str, *arguments: object) -> Result:
        monkeypatch.setattr(sys, "argv", [command, *map(str, arguments)])
        monkeypatch.setattr("gan_runtime.terminal.commandline.leave", sys.exit)
        capfd.readouterr()
        with pytest.raises(SystemExit) as stopped:
            mains[command]()
        return Result(int(stopped.value.code or 0), *capfd.readouterr())

    return call


@pytest.fixture
def process() -> Callable[..., Result]:
    """Run an installed command as a process of its own."""

    def process(command: str, *arguments: object, **environment: str) -> Result:
        done = subprocess.run(
            [BIN / command, *map(str, arguments)],
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
            env=os.environ | environment,
        )
        return Result(done.returncode, done.stdout, done.stderr)

    return process


@pytest.fixture(scope="session")
def conditional_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A class-conditional generator with random weights, exported by the project."""
    import torch

    from gan_trainer.export import export

    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("models") / "conditional.onnx"
    export(small_generator(), path, latent_dim=16, classes=10)
    return path


@pytest.fixture(scope="session")
def unconditional_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The document's MLP generator with random weights, exported by the project."""
    import torch

    from gan_trainer.export import export

    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("models") / "unconditional.onnx"
    export(new_generator("gan"), path, latent_dim=100)
    return path


@pytest.fixture(scope="session")
def random_features(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A feature network for 28x28 grey images and ten classes with random weights, exported by the project."""
    import torch

    from gan_runtime.manifest import ImageSize
    from gan_trainer.features.export import export_features
    from gan_trainer.features.network import FeatureNetwork
    from gan_trainer.features.network import _convolution as convolution

    class Small(FeatureNetwork):
        def __init__(self) -> None:
            super().__init__(1, 10)
            self.layers = torch.nn.Sequential(
                *convolution(1, 16, 2), *convolution(16, 32, 2), *convolution(32, self.head.in_features, 1)
            )

    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("features") / "random.onnx"
    names = tuple("0123456789")
    export_features(Small(), path, size=ImageSize(28, 28, 1), class_names=names)
    return path


@pytest.fixture(scope="session")
def real_digits() -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Images and labels of two splits, cut from the real MNIST of the checkout."""
    dataset = load_dataset("mnist", "test", ROOT / "data", offline=True)
    cut = {"train": slice(0, DIGITS_TRAIN), "test": slice(DIGITS_TRAIN, DIGITS_TRAIN + DIGITS_TEST)}
    return {
        split: (dataset.images[part, :, :, 0], dataset.labels[part].astype(np.uint8)) for split, part in cut.items()
    }


@pytest.fixture
def digits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, real_digits: dict[str, tuple[np.ndarray, np.ndarray]]
) -> str:
    """A known data set of 800 training and 300 test digits."""
    monkeypatch.setitem(SOURCES, "digits", idx_source(tmp_path / "data" / "digits", real_digits))
    monkeypatch.setenv("GAN_EDGE_DATA", str(tmp_path / "data"))
    return "digits"
