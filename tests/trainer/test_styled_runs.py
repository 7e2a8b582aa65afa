"""Runs of stylegan2: what is measured while they train is what their exported files draw."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from helpers import Result

from gan_runtime import Generator
from gan_runtime.manifest import MapManifest, read_manifest
from gan_runtime.model_file import read_model_file
from gan_trainer import Run
from gan_trainer.systems import start_state
from gan_trainer.tasks.generate import draw_images
from gan_trainer.training.checkpoint import load_checkpoint
from gan_trainer.training.config import Config

Call = Callable[..., Result]
TINY = ("--width", 2, "--max-width", 4, "--latent-dim", 6, "--style-dim", 5, "--mapping-layers", 2)
SHORT = ("--images", 16, "--batch-size", 8, "--threads", 1, "--device", "cpu", "--eval-every", 0, "--quiet")


@pytest.fixture
def run(call: Call) -> Path:
    """A run of two steps on MNIST."""
    done = call("gan-train", "mnist", "--recipe", "stylegan2-small", *TINY, *SHORT, "--name", "tiny")
    assert done.code == 0, done
    return Path("runs/tiny")


def test_the_file_draws_what_is_measured_while_it_trains(run: Path) -> None:
    saved = load_checkpoint(next((run / "checkpoints").glob("*.pt")))
    config = Config.from_dict(saved["config"], "")
    averaged = start_state(config, saved).averaged("generator")
    averaged.train()
    (measured,) = draw_images(averaged, config, 20)
    drawn = Generator.load(Run(run).export("x.onnx"), "cpu").sample(20)
    assert np.abs(measured.astype(int) - drawn).max() <= 1
    assert np.ptp(drawn) > 0


def test_the_command_writes_the_parts_and_notes_old_ones(call: Call, run: Path) -> None:
    done = call("gan-export", run, "-o", "x.onnx", "--parts", "--truncation", 0.5, "--noise", "input", "--json")
    report = json.loads(done.out)
    assert done.code == 0
    assert report["output"] == "x.onnx"
    for kind in ("mapping", "synthesis"):
        file = read_model_file(f"x-{kind}.onnx")
        assert report[kind] == {"output": f"x-{kind}.onnx", "bytes": file.size, "sha256": file.sha256}
        assert f"its {kind}: {file.size:,} bytes, equal to torch" in done.err
    assert "is no part" not in done.err
    manifest = read_manifest(read_model_file("x-mapping.onnx"))
    assert isinstance(manifest, MapManifest)
    assert manifest.truncation.default == 0.5
    assert manifest.training["generator"] == {"name": "tiny", "sha256": report["sha256"]}
    done = call("gan-export", run, "-o", "x.onnx", "--truncation", 0.5, "--noise", "input")
    assert "is no part" not in done.err  # the same generator again
    done = call("gan-export", run, "-o", "x.onnx")
    assert done.out == "x.onnx\n"
    for kind in ("mapping", "synthesis"):
        words = f"x-{kind}.onnx: is no part of the new x.onnx; delete it, or write a new one with --parts"
        assert words in done.err
        assert Path(f"x-{kind}.onnx").exists()


def test_python_writes_the_parts(run: Path) -> None:
    path = Run(run).export("y.onnx", truncation=0.5, noise="input", parts=True)
    assert path == Path("y.onnx")
    assert Path("y-mapping.onnx").exists()
    assert [port.name for port in read_model_file("y-synthesis.onnx").optional] == ["noise"]


def test_bad_settings_are_refused(call: Call, run: Path) -> None:
    assert call("gan-export", run, "--noise", "random").refused("--noise 'random': choose constant or input")
    assert call("gan-export", run, "--truncation", 9).refused("--truncation 9: must be from -1 to 2")
    for suffix in ("mapping", "synthesis"):
        done = call("gan-export", run, "-o", f"x-{suffix}.onnx")
        assert done.refused(f"*-{suffix}.onnx is reserved for parts of generators")


@pytest.mark.parametrize("flags", [["--parts"], ["--noise", "input"], ["--truncation", 0.7, "--parts"]])
def test_generators_without_styles_have_no_such_settings(call: Call, flags: list[object]) -> None:
    assert call("gan-train", "mnist", "--width", 4, *SHORT, "--name", "plain").code == 0
    names = ", ".join(str(flag) for flag in flags if str(flag).startswith("--"))
    done = call("gan-export", "runs/plain", *flags)
    assert done.refused(f"{names}: for generators with styles, of stylegan2; leave it out for others")
