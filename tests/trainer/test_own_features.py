"""Features of one's own images: gan-features on a folder, where they are kept, and what they say."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import numpy as np
import pytest
import torch
from helpers import Result
from PIL import Image

from gan_runtime.data import PictureOptions, load_dataset
from gan_runtime.data.content import digest_of_content
from gan_runtime.data.split import split_by_content
from gan_runtime.evaluation.features import FeatureNetwork
from gan_runtime.evaluation.networks import find_features, general_features, own_folder, own_path
from gan_runtime.generator import Generator
from gan_runtime.manifest import ImageAxes, read_manifest
from gan_trainer.commands.own_features import table
from gan_trainer.features.contrastive import Contrast
from gan_trainer.features.distortions import FAMILIES, REAL, REPEATED, spoilt, spoilt_sets
from gan_trainer.features.own import OwnImages, own_images, train_own_features
from gan_trainer.features.restore import load_features_module

Call = Callable[..., Result]
COUNT = 220
SHORT = ("--size", 28, "--threads", 1, "--quiet")


def draw(folder: Path, count: int = COUNT) -> Path:
    """Pictures of two classes, in sub-folders: squares that are bright in the left half or in the right one."""
    rng = np.random.default_rng(0)
    for index in range(count):
        pixels = rng.integers(0, 60, (28, 28, 3), dtype=np.uint8)
        side, x, y = rng.integers(4, 9), rng.integers(0, 5), rng.integers(0, 19)
        x += 14 * (index % 2)
        pixels[y : y + side, x : x + side] = rng.integers(120, 256, 3)
        path = folder / ("left", "right")[index % 2] / f"{index:03}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(path)
    return folder


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def two_families(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fewer distortions, which take most of the time."""
    for name in set(FAMILIES) - {"blur", "occlusion"}:
        monkeypatch.delitem(FAMILIES, name)


def train(call: Call, *options: object) -> dict[str, Any]:
    done = call("gan-features", "shapes", *SHORT, "--images", 128, "--json", *options)
    assert done.code == 0, done
    report: dict[str, Any] = json.loads(done.out)
    return report


@pytest.mark.usefixtures("two_families")
def test_a_folder_gets_features_that_gan_eval_finds_by_its_content(call: Call) -> None:
    draw(Path("shapes"))
    report = train(call)
    network = FeatureNetwork.load(report["output"], "cpu")
    assert (network.name, network.size, network.dim, network.classes) == ("shapes", ImageAxes(), 80, 0)
    manifest = read_manifest(network.model)
    assert manifest is not None
    assert (manifest.training["recipe"]["steps"], manifest.training["images"]) == (2, COUNT)
    judged = report["judged"]["own"]
    assert [len(values["fid"]) for values in judged["distortions"].values()] == [5] * 2
    assert judged["steps"] == 8
    falls = sum(np.diff(values["kid"]).clip(max=0).astype(bool).sum() for values in judged["distortions"].values())
    assert judged["violations"]["kid"] == falls
    assert judged["repeated"]["coverage"] < judged["real"]["coverage"]
    Path("other").mkdir()
    for number, path in enumerate(sorted(Path("shapes").rglob("*.png"))):
        shutil.copy(path, f"other/{number * 7 % COUNT}.png")
    done = call("gan-eval", "other", "shapes", "--n", 100, "--size", 28, "--device", "cpu", "--json")
    assert done.code == 0, done
    assert json.loads(done.out)["features"]["sha256"] == report["sha256"]
    assert "features: those that gan-features trained on shapes" in done.err
    assert find_features("other") == Path(report["output"])
    assert find_features("other", "any") == general_features()
    assert find_features("other", "mine.onnx") == Path("mine.onnx")
    Path("other/0.png").unlink()
    assert find_features("other") == general_features()


@pytest.mark.usefixtures("two_families")
def test_classes_give_logits_and_the_module_comes_back_from_the_file(call: Call) -> None:
    draw(Path("shapes"))
    report = train(call, "--labels", "folders", "--no-mirror", "--output", "mine.onnx")
    shown = table(report)
    assert shown.startswith("mine.onnx\n")
    for words in (*FAMILIES, "steps of 8 at which KID falls", "own           general", "held-out images get"):
        assert words in shown
    assert not own_folder_files()
    network = FeatureNetwork.load("mine.onnx", "cpu")
    assert (network.classes, network.dim) == (2, 80)
    images = load_dataset("shapes", pictures=PictureOptions(size=28, labels="folders"), quiet=True)
    rows = split_by_content(images).held_out
    measured = network.measure(iter([images.images[rows]]))
    assert report["held_out"] == len(rows)
    assert (measured.predicted == images.labels[rows]).mean() == pytest.approx(report["accuracy"])
    assert report["accuracy"] > 0.8
    short = ("--labels", "folders", "--size", 28, "--images", 64, "--batch-size", 16, "--width", 8, "--threads", 1)
    assert call("gan-train", "shapes", *short).code == 0
    assert call("gan-export").code == 0
    model = "exported/shapes-quick.onnx"
    done = call("gan-eval", model, "shapes", "--features", "mine.onnx", "--n", 100, "--device", "cpu", "--json")
    assert done.code == 0, done
    asked = np.arange(100) % 2
    drawn = network.measure(iter([Generator.load(model, "cpu").sample(100)])).predicted
    measured_model = json.loads(done.out)
    assert measured_model["results"][model]["accuracy"] == pytest.approx((drawn == asked).mean())
    assert measured_model["floors"]["test images"]["accuracy"] is None  # gan-eval reads no labels of a folder
    module = load_features_module("mine.onnx")
    with torch.no_grad():
        found = module(torch.from_numpy(images.images[rows])).numpy()
    np.testing.assert_allclose(found, measured.features, atol=1e-3, rtol=1e-3)


def own_folder_files() -> list[Path]:
    folder = own_folder()
    assert folder
    return list(folder.glob("*")) if folder.is_dir() else []


def test_the_same_seed_gives_the_same_features() -> None:
    draw(Path("shapes"))
    images = own_images(load_dataset("shapes", pictures=PictureOptions(size=28, labels="folders"), quiet=True))
    one, other = (train_own_features(images, Contrast(steps=2, batch_size=16, fitted=100)) for _ in range(2))
    for name, value in one.state_dict().items():
        torch.testing.assert_close(other.state_dict()[name], value, atol=0, rtol=0)


def test_the_digest_is_that_of_the_files_alone() -> None:
    draw(Path("shapes"), 20)
    digest = digest_of_content(Path("shapes"), quiet=True)
    with ZipFile("packed.zip", "w") as archive:
        for number, path in enumerate(sorted(Path("shapes").rglob("*.png"), reverse=True)):
            archive.write(path, f"{number}.png")
        archive.write(path, "copy.png")
    assert digest_of_content(Path("packed.zip"), quiet=True) == digest
    next(Path("shapes").rglob("*.png")).unlink()
    assert digest_of_content(Path("shapes"), quiet=True) != digest
    assert own_path(Path("x"), digest).name == f"{digest[:32]}.onnx"


def test_sets_are_spoilt_more_and_more_and_have_one_size() -> None:
    real = np.random.default_rng(0).integers(60, 200, (30, 32, 32, 3), dtype=np.uint8)
    sets = dict(spoilt_sets(real, np.random.default_rng(0)))
    assert all(some.shape == real.shape and some.dtype == np.uint8 for some in sets.values())
    assert sets[REAL] is real
    for family, (_, strengths) in FAMILIES.items():
        changes = [np.square(sets[spoilt(family, strength)].astype(float) - real).mean() for strength in strengths]
        assert changes == sorted(changes), family
    near = np.abs(sets[REPEATED].astype(int)[:10] - sets[REPEATED][:1]).mean()
    assert near < np.abs(sets[REPEATED].astype(int)[:10] - sets[REPEATED][10:20]).mean()


def test_few_held_out_images_are_joined_by_training_images_that_leave_the_reference() -> None:
    draw(Path("shapes"))
    images = load_dataset("shapes", pictures=PictureOptions(size=28), quiet=True)
    split = split_by_content(images)
    reference, judged = OwnImages(images, split).judged()
    assert len(judged) == 81
    assert set(split.held_out) <= set(judged)
    assert not set(reference) & set(judged)
    assert len(reference) == COUNT - 81


def test_what_cannot_be_trained_on_is_refused(call: Call) -> None:
    draw(Path("shapes"), 40)
    few = call("gan-features", "shapes", *SHORT)
    assert few.refused("shapes: 40 images are too few", "at least 200")
    shutil.rmtree("shapes/left")
    assert call("gan-features", "shapes", *SHORT, "--labels", "folders").refused("one sub-folder, right")
    assert call("gan-features", "shapes", *SHORT, "--epochs", 3).refused("--epochs", "no effect on shapes")
    assert call("gan-features", "mnist", "--images", 64).refused("--images", "folder or .zip")
    assert call("gan-features", "mnist", "--no-mirror").refused("--mirror", "folder or .zip")
    assert call("gan-features", "shapes", *SHORT, "--output", "none/x.onnx").refused("none does not exist")
    Path("shapes/right/001.png").write_bytes(b"no picture")
    assert call("gan-features", "shapes", *SHORT).refused("001.png")
    assert call("gan-features", "nowhere", *SHORT[2:]).refused("nowhere", "folder or .zip")
