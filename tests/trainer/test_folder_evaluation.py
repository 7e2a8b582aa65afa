"""Runs on folders of pictures: what is held out, how they are measured, and what the exported file says of it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers import Result
from PIL import Image

from gan_runtime.manifest import read_manifest
from gan_runtime.model_file import read_model_file
from gan_trainer.runs import history
from gan_trainer.tasks import generate

Call = Callable[..., Result]
PICTURES = 320
RUN = Path("runs/shapes-quick")


@pytest.fixture
def shapes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """320 different grey pictures; evaluations take few samples."""
    monkeypatch.setattr(history, "SAMPLES", 200)
    monkeypatch.setattr(history, "FINAL_SAMPLES", 300)
    folder = tmp_path / "shapes"
    folder.mkdir()
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:28, :28]
    for number in range(PICTURES):
        cy, cx, radius = rng.uniform(8, 20), rng.uniform(8, 20), rng.uniform(3, 8)
        levels = 255 / (1 + np.exp(np.hypot(y - cy, x - cx) - radius))
        Image.fromarray(levels.astype(np.uint8)).save(folder / f"{number}.png")
    return folder


@pytest.fixture
def train(call: Call, shapes: Path, random_features: Path) -> Callable[..., Result]:
    def train(*flags: object, features: Path | str = random_features) -> Result:
        size = ("--size", 28, "--mode", "L", "--width", 8, "--threads", 1, "--batch-size", 16)
        return call("gan-train", shapes, *size, "--features", features, "--images", 512, "--eval-every", 256, *flags)

    return train


def evaluations() -> list[dict[str, Any]]:
    entries = [json.loads(line) for line in (RUN / "metrics.jsonl").read_text().splitlines()]
    return [entry for entry in entries if "n" in entry]


def test_a_folder_is_measured_against_what_is_held_out(
    call: Call, shapes: Path, train: Callable[..., Result], random_features: Path
) -> None:
    done = train()
    assert done.code == 0, done
    data = json.loads((RUN / "config.json").read_text())["data"]
    held_out = PICTURES - data["images"]
    assert data["hold_out"] == 0.1
    assert f"{held_out} of {PICTURES} images are held out" in done.err
    floors = json.loads((RUN / "floors.json").read_text())
    assert (floors["data"]["train"], floors["data"]["test"]) == (data["images"], held_out)
    assert "KID x 1000" in done.err
    found = evaluations()
    best = min((entry for entry in found if entry["n"] == 300), key=lambda entry: entry["kid"])
    assert call("gan-export").code == 0
    model = Path("exported/shapes-quick.onnx")
    manifest = read_manifest(read_model_file(model))
    assert manifest
    assert manifest.training["hold_out"] == 0.1
    assert manifest.training["images_seen"] == best["images"]
    assert manifest.quality[0]["kid"] == best["kid"]

    evaluated = call("gan-eval", model, shapes, "--n", 300, "--features", random_features, "--device", "cpu", "--json")
    assert evaluated.code == 0, evaluated
    report = json.loads(evaluated.out)
    assert report["data"] == floors["data"]
    scores = report["results"][str(model)]
    assert scores["kid"] == pytest.approx(best["kid"], abs=1e-3)
    assert scores["copied"] == pytest.approx(best["copied"], abs=0.05)
    assert scores["memorised"] is best["memorised"] is False


def test_few_held_out_images_are_compared_with_a_thousand_samples(
    train: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "SAMPLES", 2_000)
    monkeypatch.setattr(history, "FINAL_SAMPLES", 10_000)
    assert train().code == 0
    assert [(entry["images"], entry["n"]) for entry in evaluations()] == [(256, 1_000), (512, 1_000)]


def test_nothing_held_out(call: Call, shapes: Path, train: Callable[..., Result], random_features: Path) -> None:
    assert train("--hold-out", 0).code == 0
    assert json.loads((RUN / "config.json").read_text())["data"]["images"] == PICTURES
    assert {entry["copied"] for entry in evaluations()} == {None}
    assert call("gan-export", "--checkpoint", "last").code == 0
    done = call("gan-eval", "exported/shapes-quick.onnx", shapes, "--n", 200, "--features", random_features, "--json")
    data = json.loads(done.out)["data"]
    assert (data["train"], data["hold_out"]) == (PICTURES, 0)


def test_the_general_features_are_used_unless_others_are_given(train: Callable[..., Result]) -> None:
    assert train("--eval-every", 512, features="any").code == 0
    assert json.loads((RUN / "floors.json").read_text())["features"]["name"] == "any"


def test_features_that_do_not_fit_are_refused(call: Call, shapes: Path, random_features: Path) -> None:
    colour = ("gan-train", shapes, "--size", 28, "--mode", "RGB", "--images", 10_000, "--threads", 1, "--quiet")
    assert call(*colour, "--features", random_features).refused("28 x 28 x 3", "takes 28 x 28 x 1")
    assert call(*colour, "--features", "nowhere.onnx").refused("nowhere.onnx")
    assert not RUN.exists()


def test_features_with_more_values_than_samples_are_refused(
    train: Callable[..., Result], random_features: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(generate, "MANY", 128)
    assert train("--quiet").refused(f"{random_features}: 128 features need more samples than the 128", "--features any")
    assert not RUN.exists()


def test_pictures_that_are_held_out_are_never_trained_on(
    shapes: Path, train: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    from gan_trainer.data.batches import Batches

    seen: set[bytes] = set()
    honest = Batches.at

    def at(self: Batches, images_seen: int) -> dict[str, Any]:
        batch = honest(self, images_seen)
        seen.update(image.tobytes() for image in ((batch["images"] + 1) * 127.5).round().byte().numpy())
        return batch

    monkeypatch.setattr(Batches, "at", at)
    assert train("--images", 1024, "--eval-every", 0).code == 0
    images = json.loads((RUN / "config.json").read_text())["data"]["images"]
    assert len(seen) == images < PICTURES


def entry(memorised: bool) -> dict[str, Any]:
    return {"n": history.SAMPLES, "memorised": memorised}


def test_memorisation_is_reported_once_when_it_is_seen_twice() -> None:
    yes, no = entry(True), entry(False)
    assert [history.memorises_now(some) for some in ([], [yes], [no, yes], [yes, yes], [no, yes, yes])] == [
        False, False, False, True, True,
    ]  # fmt: skip
    assert not history.memorises_now([yes, yes, yes])
    assert not history.memorises_now([yes, no])
    assert not history.memorises_now([{"n": history.SAMPLES, "memorised": None}] * 2)


@pytest.mark.parametrize("flags", [("--hold-out", 0.1), ("--hold-out", 0)])
def test_known_data_have_test_images(call: Call, digits: str, flags: tuple[object, ...]) -> None:
    assert call("gan-train", "digits", *flags).refused("--hold-out: digits has test images of its own; leave it out")
