"""Feature networks: trained by gan-features, exported, and taken by gan-eval."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from helpers import Result
from torch import Tensor, nn
from torch.nn.functional import interpolate

from gan_runtime.data import load_dataset
from gan_runtime.errors import InputError
from gan_runtime.evaluation.features import FeatureNetwork as FeatureFile
from gan_runtime.manifest import ImageAxes, ImageSize, read_manifest
from gan_trainer.export.onnx_file import ExportError
from gan_trainer.export.parity import file_rows
from gan_trainer.features import network as feature_network
from gan_trainer.features.export import export_features
from gan_trainer.features.network import FEATURE_RECIPES, FeatureNetwork, FeatureRecipe, moved
from gan_trainer.networks.resize import Resize, bilinear

Call = Callable[..., Result]
STILL = FeatureRecipe(epochs=6, turn=0.0, zoom=0.0, shift=0.0)
GREY = ImageSize(28, 28, 1)


@pytest.fixture
def train(call: Call, digits: str, monkeypatch: pytest.MonkeyPatch) -> Callable[..., dict[str, Any]]:
    """gan-features on 800 digits, with more options; returns its report."""
    monkeypatch.setitem(feature_network.FEATURE_RECIPES, digits, STILL)

    def train(output: str, *options: object) -> dict[str, Any]:
        done = call("gan-features", digits, "--threads", 1, "--output", output, "--json", "--quiet", *options)
        assert done.code == 0, done
        report: dict[str, Any] = json.loads(done.out)
        return report

    return train


def test_the_file_measures_what_the_command_says(
    call: Call, train: Callable[..., dict[str, Any]], conditional_model: Path
) -> None:
    trained = train("mine.onnx")
    network = FeatureFile.load("mine.onnx", "cpu")
    assert (network.name, network.size, network.dim, network.classes) == ("digits", GREY, 128, 10)
    assert (trained["bytes"], trained["sha256"]) == (Path("mine.onnx").stat().st_size, network.model.sha256)
    assert trained["bytes"] < 2e6
    test = load_dataset("digits", "test")
    right = (network.measure(iter([test.images])).predicted == test.labels).mean()
    assert right == pytest.approx(trained["accuracy"], abs=0.01)
    assert right > 0.3  # of ten classes, after 37 steps
    manifest = read_manifest(network.model)
    assert manifest is not None
    assert manifest.quality[0]["value"] == trained["accuracy"]
    assert manifest.training["recipe"]["epochs"] == 6
    done = call("gan-eval", conditional_model, "digits", "--n", 200, "--features", "mine.onnx")
    assert "features digits, SHA-256" in done.out
    assert "task:            features" in call("gan-info", "mine.onnx").out


def test_the_same_seed_gives_the_same_network(train: Callable[..., dict[str, Any]]) -> None:
    reports = [train(name, "--epochs", 1) for name in ("mine.onnx", "again.onnx")]
    one, other = (FeatureFile.load(name, "cpu") for name in ("mine.onnx", "again.onnx"))
    images = load_dataset("digits", "test").images
    np.testing.assert_array_equal(one.measure(iter([images])).features, other.measure(iter([images])).features)
    assert reports[0]["accuracy"] == reports[1]["accuracy"]


def test_images_are_moved_by_chance_and_only_as_far_as_the_recipe_says() -> None:
    images = torch.rand(16, 1, 28, 28) * 2 - 1
    torch.testing.assert_close(moved(images, STILL), images, atol=1e-4, rtol=0)
    assert not torch.equal(moved(images, replace(STILL, shift=0.1)), images)
    mirrored = moved(images, replace(STILL, mirror=True))
    flipped = [torch.allclose(one, two.flip(-1), atol=1e-4) for one, two in zip(mirrored, images, strict=True)]
    kept = [torch.allclose(one, two, atol=1e-4) for one, two in zip(mirrored, images, strict=True)]
    assert all(a != b for a, b in zip(flipped, kept, strict=True))
    assert 1 <= sum(flipped) <= 15
    white = moved(torch.ones(16, 1, 28, 28), replace(STILL, shift=0.3))
    assert white.min() == pytest.approx(-1.0)  # what comes in from outside is black


class Published(nn.Module):
    """How the recipe of docs/quality.md wraps somebody's network: resized, scaled, NHWC bytes in."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Conv2d(3, 8, 3, 2), nn.BatchNorm2d(8), nn.ReLU(), nn.AdaptiveAvgPool2d(1))
        self.head = nn.Linear(8, 5)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        x = images.permute(0, 3, 1, 2).float()
        x = interpolate(x, (75, 75), mode="bilinear", align_corners=False) / 127.5 - 1.0
        features = self.layers(x).flatten(1)
        return features, self.head(features)


def test_any_network_can_be_wrapped(tmp_path: Path) -> None:
    network = Published().train()
    export_features(network, tmp_path / "x.onnx", size=ImageSize(64, 64, 3), class_names=tuple("abcde"))
    assert network.training
    file = FeatureFile.load(tmp_path / "x.onnx", "cpu")
    assert (file.name, file.size, file.dim, file.classes) == ("x", ImageSize(64, 64, 3), 8, 5)
    images = np.random.default_rng(0).integers(0, 256, (9, 64, 64, 3), dtype=np.uint8)
    with torch.no_grad():
        expected = network.eval()(torch.from_numpy(images))[0].numpy()
    np.testing.assert_allclose(file.measure(iter([images])).features, expected, atol=1e-4)


class AnySize(Published):
    def __init__(self) -> None:
        super().__init__()
        self.resize = Resize(75, bilinear)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        features = self.layers(self.resize(images.permute(0, 3, 1, 2).float()).expand(-1, 3, -1, -1) / 127.5 - 1.0)
        return features.flatten(1), self.head(features.flatten(1))


def test_a_network_can_take_images_of_any_size(tmp_path: Path) -> None:
    network = AnySize()
    file = export_features(network, tmp_path / "x.onnx", size=ImageAxes(), class_names=(), rows=5)
    assert file.inputs[0].shape == ("n", "height", "width", "channels")
    measure = file_rows(file, ["features", "logits"])
    for shape in [(1, 1, 1, 1), (3, 64, 50, 1), (2, 200, 90, 3)]:
        images = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
        with torch.no_grad():
            expected = network.eval()(torch.from_numpy(images))
        for found, part in zip(measure((images,)), expected, strict=True):
            np.testing.assert_allclose(found, part, atol=1e-4)


class FrozenSize(AnySize):
    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        return super().forward(images[:, : images.shape[1] // 2 + int(images.shape[1] > 50)])


def test_a_network_that_reads_the_size_in_python_cannot(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="no Python branches or values"):
        export_features(FrozenSize(), tmp_path / "x.onnx", size=ImageAxes(), class_names=(), rows=5)


class LogitsTwice(Published):
    def forward(self, images: Tensor) -> Any:
        features, logits = super().forward(images)
        return features, logits, logits


def test_networks_that_break_the_contract_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match=r"gives features \[n, d\], and perhaps logits \[n, classes\]"):
        export_features(LogitsTwice(), tmp_path / "x.onnx", size=ImageSize(64, 64, 3), class_names=())
    with pytest.raises(InputError, match="opset 12"):
        export_features(FeatureNetwork(1, 10), tmp_path / "x.onnx", size=GREY, class_names=(), opset=12)
    assert not list(tmp_path.glob("*.onnx"))


def test_bad_input_is_one_line(call: Call) -> None:
    assert call("gan-features", "photos").refused("'photos'", *FEATURE_RECIPES)
    assert call("gan-features", "mnist", "--output", "no/x.onnx").refused("no/x.onnx", "does not exist")
    assert call("gan-features", "mnist", "--epochs", 0).refused("--epochs")
