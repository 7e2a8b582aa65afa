"""Scores of translated pictures, with real digits: to negatives, which are known."""

from dataclasses import replace

import numpy as np
import pytest

from gan_runtime.evaluation.features import FeatureNetwork
from gan_runtime.evaluation.metrics import l1
from gan_runtime.evaluation.networks import general_features
from gan_runtime.evaluation.scores import TEST
from gan_runtime.evaluation.translation import (
    NOTHING,
    Target,
    paired,
    problems,
    score_translation,
    translation_floors,
    variety,
    with_channels,
)
from gan_runtime.manifest import ImageSize

N = 100


@pytest.fixture(scope="module")
def network() -> FeatureNetwork:
    return FeatureNetwork.load(general_features(), "cpu", 1).at(ImageSize(28, 28, 1))


@pytest.fixture(scope="module")
def digits(real_digits) -> np.ndarray:
    return real_digits["train"][0][:, :, :, None]


@pytest.fixture(scope="module")
def target(network: FeatureNetwork, digits: np.ndarray) -> Target:
    """The domain of negatives: black on white."""
    negatives = 255 - digits
    return Target(network, network.measure(iter([negatives[2 * N : 5 * N]])).features, negatives[N : 2 * N])


def test_a_good_translator_is_near_the_truth_and_the_domain(target: Target, digits: np.ndarray) -> None:
    inputs, truth = digits[:N], 255 - digits[:N]
    noise = np.random.default_rng(0).integers(0, 9, truth.shape)
    outputs = (truth - np.minimum(truth, noise)).astype(np.uint8)
    scores = score_translation(outputs, inputs, target, truth, returned=255 - outputs)
    floors = translation_floors(inputs, target, truth)
    nothing, real = floors[NOTHING], floors[TEST]

    assert scores.l1 == pytest.approx(l1(outputs, truth).mean())
    assert scores.cycle == pytest.approx(scores.l1)
    assert scores.psnr > 30
    assert scores.ssim > 0.9
    assert scores.l1 < 5 < nothing["l1"]
    assert real["fid"] < scores.fid < nothing["fid"] / 5
    assert real["kid"] < scores.kid < nothing["kid"] / 5
    assert (scores.identity, nothing["identity"], real["identity"]) == (0, 1, 0)
    assert 0.8 < scores.variety < 1.2
    assert (nothing["n"], real["n"]) == (None, N)
    assert problems(scores.to_dict(), floors) == []


def test_what_translates_nothing_is_reported(target: Target, digits: np.ndarray) -> None:
    inputs, truth = digits[:N], 255 - digits[:N]
    floors = translation_floors(inputs, target)
    copies = score_translation(inputs + (inputs < 255), inputs, target)
    assert copies.identity == 1
    assert problems(copies.to_dict(), floors) == [
        "copies its inputs: 100% of the outputs differ from them by less than 2 grey levels"
    ]
    constant = score_translation(np.repeat(truth[:1], N, axis=0), inputs, target)
    assert constant.variety == 0
    (said,) = problems(constant.to_dict(), floors)
    assert said.startswith("gives nearly the same for all inputs: two outputs differ by 0.0% of")
    (said,) = problems(
        score_translation(np.roll(inputs, 1, axis=0) // 2 + 60, inputs, target, truth).to_dict(),
        translation_floors(inputs, target, truth),
    )
    assert said == "is further from the target domain (FID) than its inputs are"


def test_pictures_that_stay_as_they_are_are_no_copies(target: Target, digits: np.ndarray) -> None:
    inputs = digits[:N]
    truth = inputs.copy()
    truth[: N // 4] = 255 - truth[: N // 4]
    floors = translation_floors(inputs, target, truth)
    assert floors[TEST]["identity"] == 0.75
    assert problems(score_translation(truth, inputs, target, truth).to_dict(), floors) == []


def test_few_pictures_have_a_kid_and_no_fid(target: Target, digits: np.ndarray) -> None:
    few = replace(target, held_out=target.held_out[:5])
    scores = score_translation(255 - digits[:5], digits[:5], few)
    assert scores.fid is None
    assert scores.kid is not None
    assert "fid" not in scores.to_dict()
    one = score_translation(255 - digits[:1], digits[:1], few, 255 - digits[:1])
    assert (one.kid, one.variety, one.l1) == (None, None, 0.0)
    floors = translation_floors(digits[:5], few)
    assert problems(scores.to_dict(), floors) == []
    noise = np.random.default_rng(0).integers(0, 256, (5, *digits.shape[1:]), np.uint8)
    (said,) = problems(score_translation(noise, digits[:5], few).to_dict(), floors)
    assert said == "is further from the target domain (KID) than its inputs are"


def test_small_pictures_have_no_ssim() -> None:
    small = np.zeros((3, 8, 30, 1), np.uint8)
    assert paired(small, small) == {"l1": 0.0, "psnr": 100.0, "ssim": None}


def test_equal_inputs_say_nothing_about_variety(digits: np.ndarray) -> None:
    equal = np.repeat(digits[:1], N, axis=0)
    assert variety(equal, equal, digits) is None
    assert variety(equal, digits[:N], digits) == 0
    assert variety(digits[:N] // 2, digits[:N], digits[:N]) == pytest.approx(0.5, abs=0.01)


def test_grey_and_colour_pictures_are_compared_as_pillow_converts_them() -> None:
    from PIL import Image

    colours = np.random.default_rng(0).integers(0, 256, (2, 9, 9, 3), dtype=np.uint8)
    grey = with_channels(colours, 1)
    expected = np.stack([np.asarray(Image.fromarray(picture).convert("L")) for picture in colours])
    assert (grey[..., 0] == expected).all()
    assert (with_channels(grey, 3) == grey).all()
    assert with_channels(colours, 3) is colours
