"""gan-features stacked-mnist: three times the same network in one file."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from helpers import Result

from gan_runtime.data.registry import COMPUTED
from gan_runtime.errors import InputError
from gan_runtime.evaluation.features import FeatureNetwork as FeatureFile
from gan_runtime.laboratory.stacked import STACKED, StackedSource
from gan_runtime.manifest import FeaturesManifest, ImageSize, read_manifest
from gan_runtime.models import shipped_features
from gan_trainer.export.onnx_file import ExportError
from gan_trainer.features import stacked as stacked_features
from gan_trainer.features.export import export_features
from gan_trainer.features.network import FeatureNetwork
from gan_trainer.features.stacked import stack_features

Call = Callable[..., Result]


def test_the_command_makes_the_file_that_ships(call: Call) -> None:
    done = call("gan-features", "stacked-mnist", "--output", "mine.onnx", "--json")
    assert done.code == 0, done
    shipped, digits = shipped_features("stacked-mnist"), shipped_features("mnist")
    assert shipped
    assert digits
    report = json.loads(done.out)
    assert (report["output"], report["parts"], report["bytes"]) == (
        "mine.onnx",
        str(digits),
        Path("mine.onnx").stat().st_size,
    )
    one, other = onnx.load("mine.onnx"), onnx.load(shipped)
    assert one.graph == other.graph
    assert len(one.SerializeToString()) < digits.stat().st_size + 12_000  # the weights are stored once
    manifest = read_manifest(FeatureFile.load("mine.onnx", "cpu").model)
    assert isinstance(manifest, FeaturesManifest)
    assert manifest.output is not None
    assert (manifest.output.names[0], manifest.output.names[345], manifest.output.names[-1]) == (
        "000",
        "345",
        "999",
    )
    assert manifest.training["parts"]["sha256"] == FeatureFile.load(digits, "cpu").model.sha256


def test_any_network_of_grey_images_can_be_stacked(random_features: Path) -> None:
    file = stack_features(random_features, Path("x.onnx"), "three")
    assert (file.opset, file.ir_version) == (17, 8)
    network, part = FeatureFile.load("x.onnx", "cpu"), FeatureFile.load(random_features, "cpu")
    assert (network.name, network.size, network.dim, network.classes) == ("three", ImageSize(28, 28, 3), 384, 1000)
    images = np.random.default_rng(0).integers(0, 256, (70, 28, 28, 3), np.uint8)
    whole = network.measure(iter([images]))
    channels = [part.measure(iter([images[..., [channel]]])) for channel in range(3)]
    np.testing.assert_allclose(whole.features, np.concatenate([one.features for one in channels], 1), atol=1e-4)
    np.testing.assert_allclose(whole.confidence, np.prod([one.confidence for one in channels], 0), rtol=1e-4)


def test_a_file_that_measures_something_else_is_not_written(
    random_features: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    swapped = stacked_features.JOIN.replace("reds = Reshape (red, first)", "reds = Reshape (blue, first)")
    monkeypatch.setattr(stacked_features, "JOIN", swapped)
    with pytest.raises(ExportError, match=r"the graph differs from the parts by .* logits"):
        stack_features(random_features, Path("x.onnx"), "three")
    assert not Path("x.onnx").exists()


def test_colours_cannot_be_stacked(tmp_path: Path) -> None:
    torch.manual_seed(0)
    export_features(FeatureNetwork(3, 2), tmp_path / "rgb.onnx", size=ImageSize(16, 16, 3), class_names=("a", "b"))
    with pytest.raises(InputError, match="takes 3 channels; features of grey images can be stacked"):
        stack_features(tmp_path / "rgb.onnx", tmp_path / "x.onnx", "three")


def test_nothing_is_trained(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    refused = call("gan-features", "stacked-mnist", "--epochs", 3)
    assert refused.refused("--epochs: stacked-mnist is measured in the features of mnist; leave it out")
    assert call("gan-features", "ring8").refused("choose one of mnist, fashion-mnist, stacked-mnist")
    monkeypatch.setitem(COMPUTED, "stacked-clothes", "gan_runtime.laboratory.stacked:STACKED")
    monkeypatch.setitem(STACKED, "stacked-clothes", StackedSource("clothes", {"train": 1, "test": 1}))
    assert call("gan-features", "stacked-clothes").refused("the features of clothes, which are missing")
