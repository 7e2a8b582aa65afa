"""A run and the features it is measured with: those of gan-features, those that it began with, and their loss."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from helpers import Result
from PIL import Image

from gan_runtime.data.content import digest_of_content
from gan_runtime.evaluation.networks import general_features, own_folder, own_path
from gan_runtime.manifest import METADATA_KEY, read_manifest
from gan_runtime.model_file import read_model_file
from gan_trainer.features.distortions import FAMILIES
from gan_trainer.runs import history

Call = Callable[..., Result]
RUN = Path("runs/dots-quick")


@pytest.fixture
def train(call: Call, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """gan-train on 220 pictures of a dot, with an evaluation of few samples each 128 images."""
    monkeypatch.setattr(history, "SAMPLES", 120)
    monkeypatch.setattr(history, "FINAL_SAMPLES", 130)
    rng = np.random.default_rng(0)
    Path("dots").mkdir()
    for number in range(220):
        pixels = np.full((28, 28), rng.integers(0, 100), np.uint8)
        y, x = rng.integers(0, 20, 2)
        pixels[y : y + 8, x : x + 8] = 255
        Image.fromarray(pixels).save(f"dots/{number}.png")
    short = ("--size", 28, "--mode", "L", "--width", 8, "--threads", 1, "--batch-size", 16, "--eval-every", 128)
    return lambda *flags: call("gan-train", *(flags or ("dots", *short, "--images", 256)))


def keep(other: bytes) -> Path:
    """A copy of the general features under another name, as if gan-features had made it for these pictures."""
    folder = own_folder()
    assert folder
    folder.mkdir(parents=True, exist_ok=True)
    model = onnx.load(general_features())
    for weights in model.graph.initializer:
        if weights.name == "wavelet_projection.bias":
            weights.raw_data = other * (len(weights.raw_data) // len(other))
    manifest = json.loads(next(entry.value for entry in model.metadata_props if entry.key == METADATA_KEY))
    onnx.helper.set_model_props(model, {METADATA_KEY: json.dumps(manifest | {"name": "dots"})})
    path = own_path(folder, digest_of_content(Path("dots"), quiet=True))
    onnx.save(model, path)
    return path


def features_of_run() -> str:
    return str(json.loads((RUN / "floors.json").read_text())["features"]["sha256"])


def evaluations(n: int = 120) -> list[dict[str, Any]]:
    entries = [json.loads(line) for line in (RUN / "metrics.jsonl").read_text().splitlines()]
    return [entry for entry in history.comparable(entries) if entry.get("n") == n]


def test_a_run_is_measured_with_what_gan_features_made_of_the_same_pictures(
    call: Call, train: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in set(FAMILIES) - {"blur"}:
        monkeypatch.delitem(FAMILIES, name)
    made = call("gan-features", "dots", "--size", 28, "--images", 64, "--threads", 1, "--quiet", "--json")
    assert made.code == 0, made
    report = json.loads(made.out)
    trained = train()
    assert trained.code == 0, trained
    assert "features: those that gan-features trained on" in trained.err
    assert report["output"] in trained.err
    assert features_of_run() == report["sha256"]
    assert call("gan-export").code == 0
    manifest = read_manifest(read_model_file("exported/dots-quick.onnx"))
    assert manifest
    assert manifest.quality[0]["features"] == {"name": "dots", "sha256": report["sha256"]}


def test_a_resumed_run_keeps_its_features_if_there_are_new_ones(train: Callable[..., Result]) -> None:
    assert train().code == 0
    began_with, first = features_of_run(), evaluations()
    keep(b"\0\0\0\0")
    resumed = train("--resume", RUN, "--images", 512)
    assert resumed.code == 0, resumed
    assert f"features: {general_features()}\n" in resumed.err
    assert "measured with other features" not in resumed.err
    assert features_of_run() == began_with == read_model_file(general_features()).sha256
    assert [entry["images"] for entry in evaluations()] == [128, 256, 384, 512]
    assert evaluations()[:2] == first


def test_if_the_features_of_a_run_are_gone_kept_checkpoints_are_measured_again(
    call: Call, train: Callable[..., Result]
) -> None:
    own = keep(b"\0\0\0\0")
    assert train().code == 0
    first = evaluations()
    assert features_of_run() == read_model_file(own).sha256
    own.unlink()
    resumed = train("--resume", RUN, "--images", 512)
    assert resumed.code == 0, resumed
    lines = [line for line in resumed.err.splitlines() if "measured with other features" in line]
    assert len(lines) == 1, resumed
    assert "the network dots (SHA-256" in lines[0]
    assert "any (SHA-256" in lines[0]
    assert features_of_run() == read_model_file(general_features()).sha256
    found = evaluations()
    assert [entry["images"] for entry in found] == [128, 256, 384, 512]
    assert all(old["fid"] != new["fid"] for old, new in zip(first, found, strict=False))
    assert {key: found[0][key] for key in ("step", "seconds")} == {key: first[0][key] for key in ("step", "seconds")}
    assert (RUN / "metrics.jsonl").read_text().count('"n": 120') == 6
    assert call("gan-export").code == 0
    manifest = read_manifest(read_model_file("exported/dots-quick.onnx"))
    assert manifest
    assert manifest.quality[0]["features"]["name"] == "any"
    again = train("--resume", RUN, "--images", 640)
    assert again.code == 0, again
    assert "measured with other features" not in again.err
    assert [entry["images"] for entry in evaluations()] == [128, 256, 384, 512, 640]


def test_features_that_are_named_and_then_changed_do_not_stop_a_run(train: Callable[..., Result]) -> None:
    own = keep(b"\0\0\0\0").rename("mine.onnx")
    short = ("--size", 28, "--mode", "L", "--width", 8, "--threads", 1, "--batch-size", 16, "--eval-every", 128)
    assert train("dots", *short, "--images", 256, "--features", own).code == 0
    keep(b"\0\0\0\1").rename(own)
    changed = train("--resume", RUN, "--images", 384)
    assert changed.code == 0, changed
    assert changed.err.count("measured with other features") == 1
    assert features_of_run() == read_model_file(own).sha256
    own.unlink()
    gone = train("--resume", RUN, "--images", 512)
    assert gone.code == 0, gone
    assert features_of_run() == read_model_file(general_features()).sha256


def test_entries_before_a_change_of_features_are_no_evaluations() -> None:
    old, change, new = {"images": 1, "n": 5}, {"images": 2, "features": "x"}, {"images": 1, "n": 5, "fid": 1.0}
    losses = {"images": 1, "d_loss": 0.5}
    assert history.comparable([losses, old, change, new]) == [losses, change, new]
    assert history.comparable([old, losses]) == [old, losses]
    assert history.comparable([]) == []
