"""Stacked digits: the same on every host, a thousand modes, and the features to count them in."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from helpers import Result, new_generator

from gan_runtime.data import Dataset, load_dataset
from gan_runtime.data.registry import COMPUTED
from gan_runtime.errors import DataError
from gan_runtime.evaluation.features import FeatureNetwork
from gan_runtime.evaluation.reference import load_reference, measure_split
from gan_runtime.evaluation.scores import score, score_test
from gan_runtime.laboratory.stacked import STACKED, StackedSource, stack
from gan_runtime.manifest import ImageSize
from gan_runtime.models import shipped_features

Call = Callable[..., Result]
ROOT = Path(__file__).resolve().parents[2]


def grey(split: str = "train") -> Dataset:
    """Twenty pictures of one pixel, the value of each its own number, of ten classes."""
    images = np.arange(20, dtype=np.uint8).reshape(20, 1, 1, 1)
    return Dataset("numbers", split, images, np.arange(20) % 10, tuple("0123456789"), "some digest")


@pytest.fixture
def stacked(digits: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """A known data set of 600 training and 500 test images, each made of three real digits."""
    monkeypatch.setitem(STACKED, "stacked-digits", StackedSource(digits, {"train": 600, "test": 500}))
    monkeypatch.setitem(COMPUTED, "stacked-digits", "gan_runtime.laboratory.stacked:STACKED")
    return "stacked-digits"


@pytest.fixture
def network() -> FeatureNetwork:
    path = shipped_features("stacked-mnist")
    assert path is not None
    return FeatureNetwork.load(path, "cpu")


def test_each_channel_is_a_grey_image_and_the_label_names_all_three() -> None:
    made = stack("stacked", grey(), 50)
    assert (made.images.shape, made.images.dtype, made.labels.dtype) == ((50, 1, 1, 3), np.uint8, np.int64)
    assert (made.classes, made.modes) == ((), 1000)  # nothing that a network could be told
    np.testing.assert_array_equal(made.labels, made.images[:, 0, 0] % 10 @ [100, 10, 1])


def test_the_choice_is_the_same_on_every_host_and_another_in_each_split() -> None:
    words = [4314525347959935717, 10775768490138047826]  # Philox4x64-10 of the key 2017: numpy guarantees them
    assert np.random.Philox(key=2017).random_raw(2).tolist() == words
    train = stack("stacked", grey(), 50)
    assert train.images[0, 0, 0, :2].tolist() == [word % 20 for word in words]
    np.testing.assert_array_equal(stack("stacked", grey(), 9).images, train.images[:9])
    test = stack("stacked", grey("test"), 50)
    assert not np.array_equal(test.images, train.images)
    digests = {train.digest, test.digest, stack("stacked", grey(), 49).digest}
    assert len(digests) == 3
    assert stack("stacked", grey(), 50).digest == train.digest


def test_triples_of_real_digits_score_what_the_literature_says() -> None:
    """KL of 26,000 real ones to the uniform distribution: about .019 by chance and .004 by MNIST's own imbalance."""
    made = load_dataset("stacked-mnist", "test", ROOT / "data")
    assert (made.images.shape, made.digest[:16]) == ((26_000, 28, 28, 3), "5e3623e996560b34")
    share = np.bincount(made.labels, minlength=1000) / len(made.labels)
    assert share.min() > 0
    assert float(np.sum(share * np.log(share * 1000))) == pytest.approx(0.0235, abs=0.005)


def test_splits_and_files_are_those_of_the_digits(call: Call, stacked: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="split 'validation': digits has train and test"):
        load_dataset(stacked, "validation")
    done = call("gan-data", stacked, "--verify", "--json")
    folder = str(tmp_path / "data" / "digits")
    splits = {name: {"images": n, "folder": folder, "problems": []} for name, n in (("train", 600), ("test", 500))}
    report = {"made of": "three images of digits", "modes": 1000, "splits": splits}
    assert (done.code, json.loads(done.out)) == (0, {stacked: report})
    shutil.rmtree(folder)
    assert call("gan-data", stacked, "--offline").out.count("not found") == 2
    assert call("gan-train", stacked).refused("digits: train-images.gz and train-labels.gz not found")


def test_the_shipped_features_read_each_channel_as_those_of_mnist_do(stacked: str, network: FeatureNetwork) -> None:
    assert (network.size, network.dim, network.classes) == (ImageSize(28, 28, 3), 384, 1000)
    path = shipped_features("mnist")
    assert path is not None
    digit = FeatureNetwork.load(path, "cpu")
    images = load_dataset(stacked).images[:100]
    whole = network.measure(iter([images]))
    red, green, blue = (digit.measure(iter([images[..., [channel]]])) for channel in range(3))
    np.testing.assert_allclose(
        whole.features, np.concatenate([red.features, green.features, blue.features], 1), atol=1e-4
    )
    np.testing.assert_array_equal(whole.predicted, 100 * red.predicted + 10 * green.predicted + blue.predicted)
    product = red.confidence * green.confidence * blue.confidence
    np.testing.assert_allclose(whole.confidence, product, rtol=1e-4)


def test_modes_are_counted_against_the_uniform_distribution(stacked: str, network: FeatureNetwork) -> None:
    reference = load_reference(stacked, network)
    assert reference.labelled
    np.testing.assert_array_equal(reference.frequencies, np.full(1000, 0.001))
    real = score_test(reference, 500)
    assert real.accuracy is not None
    assert real.accuracy > 0.9
    assert 300 < real.modes < 450  # of 500 images
    one = reference.train.dataset.images[:1].repeat(500, axis=0)
    collapsed = score(network.measure(iter([one])), reference)
    assert (collapsed.modes, collapsed.kl) == (1, pytest.approx(np.log(1000)))


def test_what_is_kept_of_many_images_holds_no_logits(stacked: str, network: FeatureNetwork, tmp_path: Path) -> None:
    split = load_dataset(stacked)
    first = measure_split(split, network, quiet=True)
    (kept,) = (tmp_path / "cache" / "gan-edge" / "features").iterdir()
    assert kept.stat().st_size < 600 * (384 * 4 + 16) + 2000
    again = measure_split(split, network, quiet=True)
    for one, other in zip(vars(first).values(), vars(again).values(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_gan_eval_measures_a_generator_in_colour(call: Call, stacked: str, tmp_path: Path) -> None:
    import torch

    from gan_trainer.export import export

    torch.manual_seed(0)
    export(new_generator("quick", size=ImageSize(28, 28, 3), width=4), tmp_path / "x.onnx", latent_dim=64)
    features = shipped_features("stacked-mnist")
    done = call("gan-eval", "x.onnx", stacked, "--n", 400, "--features", features, "--quiet", "--json")
    assert done.code == 0, done
    report = json.loads(done.out)
    result = report["results"]["x.onnx"]
    assert result["accuracy"] is None  # it is told no classes
    assert result["modes"] >= 1
    assert report["floors"]["test images"]["modes"] > result["modes"]
    assert call("gan-eval", "x.onnx", "mnist", "--n", 400).refused("28 x 28 x 3")
