"""gan-train on points: every recipe, what is logged and shown, and the file that comes out."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers import DIGIT, FROM_LATENTS, Result
from PIL import Image

from gan_runtime import Generator
from gan_runtime.data import load_dataset
from gan_runtime.data.registry import kind_of
from gan_runtime.laboratory.points import POINTS
from gan_runtime.manifest import ImageSize, read_manifest
from gan_runtime.model_file import read_model_file
from gan_trainer.data.batches import Batches
from gan_trainer.data.source import DataSource
from gan_trainer.export.onnx_file import ExportError
from gan_trainer.export.points import export_points
from gan_trainer.recipes.recipe import RECIPES
from gan_trainer.runs import history
from gan_trainer.runs.settings import make_config
from gan_trainer.systems import new_networks, start_state
from gan_trainer.tasks.points import draw_points
from gan_trainer.training.checkpoint import load_checkpoint
from gan_trainer.training.system import Shapes

Call = Callable[..., Result]
SHORT = ("--images", 640, "--batch-size", 64, "--threads", 1, "--quiet")
ADVERSARIAL = sorted(set(FROM_LATENTS) - {"vae", "stylegan2", "stylegan2-small"})


@pytest.fixture(autouse=True)
def _few(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ring8", "grid25"):
        monkeypatch.setitem(POINTS, name, replace(POINTS[name], points={"train": 1000, "test": 500}))
    monkeypatch.setattr(history, "SAMPLES", 200)
    monkeypatch.setattr(history, "FINAL_SAMPLES", 400)


@pytest.mark.parametrize("recipe", ADVERSARIAL)
def test_every_recipe_but_the_autoencoder_learns_points(call: Call, recipe: str) -> None:
    critic = ("--critic-steps", 2, "--warm-critic", 2) if recipe == "wgan" else ()
    done = call("gan-train", "grid25", "--recipe", recipe, *SHORT, *critic, "--name", "run")
    assert done.code == 0, done
    settings = json.loads(Path("runs/run/config.json").read_text())["recipe"]
    assert (settings["network"], settings["width"], settings["precision"]) == ("mlp", 8, "fp32")
    exported = call("gan-export", "runs/run", "--output", "x.onnx")
    assert exported.code == 0, exported
    assert Generator.load("x.onnx", "cpu").sample(5).shape == (5, 2)


def test_a_run_logs_scores_draws_scatters_and_exports_its_last_generator(call: Call) -> None:
    done = call("gan-train", "ring8", *SHORT[:-1], "--eval-every", 320, "--preview-every", 320)
    assert done.code == 0, done
    assert "evaluated after 320 images: " in done.err
    assert "of 8 modes" in done.err
    assert "a perfect sampler: 98.89%" in done.err
    run = Path("runs/ring8-quick")
    entries = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    measured = [entry for entry in entries if "n" in entry]
    assert [(entry["images"], entry["n"]) for entry in measured] == [(320, 200), (640, 200), (640, 400)]
    assert all({"high_quality", "modes", "kl"} <= entry.keys() for entry in measured)
    floors = json.loads((run / "floors.json").read_text())["floors"]
    assert set(floors["400"]) == {"test points", "perfect sampler"}
    pictures = sorted((run / "samples").iterdir())
    assert len(pictures) == 2
    with Image.open(pictures[-1]) as picture:
        assert picture.size == (512, 512)
    page = (run / "report.html").read_text()
    for words in ("1,000 points around 8 modes", "High quality", "The last generator", "perfect sampler"):
        assert words in page
    assert "the last: no evaluation to choose the best by" in call("gan-export").err
    manifest = read_manifest(read_model_file("exported/ring8-quick.onnx"))
    assert manifest is not None
    (quality,) = manifest.quality
    assert (quality["n"], quality["modes"]) == (400, measured[-1]["modes"])
    report = json.loads(call("gan-eval", "exported/ring8-quick.onnx", "ring8", "--n", 400, "--json").out)
    (scores,) = report["results"].values()
    assert (scores["modes"], scores["high_quality"]) == (quality["modes"], pytest.approx(quality["high_quality"]))


def test_a_resumed_run_goes_on_as_if_never_stopped(call: Call) -> None:
    options = ("--threads", 1, "--batch-size", 64, "--quiet", "--checkpoint-every", 320, "--seed", 5)
    assert call("gan-train", "ring8", "--images", 640, "--name", "whole", *options).code == 0
    assert call("gan-train", "ring8", "--images", 640, "--name", "cut", *options).code == 0
    Path("runs/cut/checkpoints/000000000640.pt").unlink()
    assert call("gan-train", "--resume", "runs/cut", "--quiet").code == 0
    whole, cut = (load_checkpoint(Path(f"runs/{name}/checkpoints/000000000640.pt")) for name in ("whole", "cut"))
    for one, other in zip(whole["averages"]["generator"].values(), cut["averages"]["generator"].values(), strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--network", "dcgan"], ["--network dcgan", "images alone", "ring8 has points"]),
        (["--augment", "colour"], ["--augment colour", "moves images"]),
        (["--patience", 3], ["--patience 3", "FID of images"]),
        (["--stop-when-collapsed"], ["--stop-when-collapsed", "looks at images"]),
        (["--recipe", "vae"], ["--recipe vae", "probabilities of pixels"]),
        (["--conditional"], ["--conditional: ring8 has no classes; leave it out"]),
        (["--size", 32], ["--size: has no effect on the data set ring8"]),
    ],
)
def test_what_is_for_images_alone_is_refused(call: Call, arguments: list, words: list[str]) -> None:
    assert call("gan-train", "ring8", *arguments).refused(*words)
    assert not Path("runs").exists()


def test_flags_go_before_what_points_usually_take(call: Call) -> None:
    assert call("gan-train", "ring8", "--recipe", "gan", "--width", 4, "--dropout", 0.1, *SHORT).code == 0
    settings = json.loads(Path("runs/ring8-gan/config.json").read_text())["recipe"]
    assert (settings["network"], settings["width"], settings["dropout"]) == ("mlp", 4, 0.1)


def test_batches_hold_points_as_they_are() -> None:
    dataset = load_dataset("ring8")
    batch, labels = Batches(dataset, 100, 0, torch.device("cpu")).at(0).values()
    assert (batch.shape, batch.dtype) == ((100, 2, 1, 1), torch.float32)
    known = {tuple(row): label for row, label in zip(dataset.images[:, 0, 0].tolist(), dataset.labels, strict=True)}
    assert [known[tuple(row)] for row in batch.flatten(1).tolist()] == labels.tolist()


def test_points_are_drawn_in_the_units_of_the_data() -> None:
    source = DataSource.of(load_dataset("grid25"), "grid25", None, None)
    assert (source.size, kind_of(source.source)) == (ImageSize(1, 1, 2), "points")
    config = make_config(source, "gan", {"images": 128}, 0, "cpu", 1, 3)
    state = start_state(config)
    points = np.concatenate(list(draw_points(state.averaged("generator"), config, 600)))
    assert points.shape == (600, 2)
    state.averaged("generator").squash = torch.nn.Threshold(1e9, 0.5)  # 0.5 in place of whatever it draws
    (half,) = draw_points(state.averaged("generator"), config, 3)
    np.testing.assert_array_equal(half, np.full((3, 2), 2.5, np.float32))


def test_the_width_of_an_mlp_counts() -> None:
    def layers(width: int) -> list[tuple[int, ...]]:
        generator, discriminator = new_networks(replace(RECIPES["gan"], width=width), Shapes(DIGIT)).values()
        assert discriminator is not None
        weights = [*generator.parameters(), *discriminator.parameters()]
        return [tuple(weight.shape) for weight in weights if weight.ndim == 2]

    drawing, judging = [(256, 100), (512, 256), (1024, 512), (784, 1024)], [(1024, 784), (512, 1024), (256, 512)]
    assert layers(32) == [*drawing, *judging, (1, 256)]
    assert layers(2) == [(16, 100), (32, 16), (64, 32), (784, 64), (64, 784), (32, 64), (16, 32), (1, 16)]


def test_a_network_that_is_not_finite_is_not_exported(tmp_path: Path) -> None:
    config = make_config(
        DataSource.of(load_dataset("ring8"), "ring8", None, None), "gan", {"images": 128}, 0, "cpu", 1, 3
    )
    generator = start_state(config).networks["generator"]
    with torch.no_grad():
        next(generator.parameters()).fill_(float("nan"))
    with pytest.raises(ExportError, match="values that are not finite"):
        export_points(generator, tmp_path / "x.onnx", extent=2.5, latent_dim=100)
    assert not list(tmp_path.glob("*.onnx"))


def test_evaluations_save_no_checkpoints_of_their_own(call: Call) -> None:
    """Points have no FID, so none of their evaluations is the best."""
    done = call(
        "gan-train", "ring8", "--images", 1024, "--eval-every", 128, "--checkpoint-every", 512, "--threads", 1,
        "--quiet", "--keep-checkpoints", 20,
    )  # fmt: skip
    assert done.code == 0, done
    assert sorted(int(path.stem) for path in Path("runs/ring8-quick/checkpoints").iterdir()) == [512, 1024]
