"""Crops of photos: positions, symmetries, the bicubic input, degradations; they depend on the counter alone."""

import numpy as np
import pytest
import torch
from formulas import textured
from torch import Tensor

from gan_runtime.data.photos import Photos
from gan_runtime.images import degradations
from gan_runtime.images.degradations import STEPS, degrade, gaussian
from gan_runtime.images.resample import cropped, reduced
from gan_trainer.data.photos import PhotoBatches, reduction

CPU = torch.device("cpu")


def photos(*sizes: tuple[int, int], channels: int = 3) -> Photos:
    images = np.empty(len(sizes), object)
    for i, size in enumerate(sizes):
        images[i] = textured(*size, channels)
    return Photos("photos", "train", images, np.zeros(len(sizes), np.int64), ())


def batches(data: Photos, scale: int = 4, crop: int = 6, seed: int = 5, degradation: str = "bicubic") -> PhotoBatches:
    return PhotoBatches(data, np.arange(len(data.images)), scale, crop, 4, seed, CPU, degradation)


def levels(images: Tensor) -> np.ndarray:
    """uint8 [n, h, w, c] of floats [n, c, h, w] in [0, 1], which are whole levels."""
    values = images.permute(0, 2, 3, 1) * 255
    assert torch.allclose(values, values.round(), atol=1e-4)
    return values.round().to(torch.uint8).numpy()


def symmetries(image: np.ndarray) -> list[np.ndarray]:
    return [
        turned[:: 1 - 2 * down, :: 1 - 2 * across]
        for turned in (image, image.swapaxes(0, 1))
        for down in (0, 1)
        for across in (0, 1)
    ]


def places_of(part: np.ndarray, whole: np.ndarray) -> list[tuple[int, int]]:
    side = len(part)
    rows, columns = (length - side + 1 for length in whole.shape[:2])
    return [(y, x) for y in range(rows) for x in range(columns) if (whole[y : y + side, x : x + side] == part).all()]


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_crops_are_those_of_the_whole_photo_and_of_its_bicubic_reduction(scale: int) -> None:
    whole = textured(11 * scale + 1, 9 * scale + 1, 3)
    stream, low = batches(photos(whole.shape[:2]), scale), reduced(whole, scale)
    seen = set()
    for first in range(0, 80, 4):
        batch = stream.at(first)
        for source, image in zip(levels(batch["source"]), levels(batch["images"]), strict=True):
            kind, (y, x) = next(
                (kind, places[0])
                for kind, turned in enumerate(symmetries(image))
                if (places := places_of(turned, cropped(whole, scale)))
            )
            assert (y % scale, x % scale) == (0, 0)
            expected = low[y // scale : y // scale + 6, x // scale : x // scale + 6]
            assert (symmetries(source)[kind] == expected).all()
            seen.add((kind, y // scale, x // scale))
    assert {kind for kind, _, _ in seen} == set(range(8))
    assert {y for _, y, _ in seen} == set(range(6))  # the borders of the photo, too
    assert {x for _, _, x in seen} == set(range(4))


def test_batches_depend_on_seed_and_counter_alone() -> None:
    data = photos((40, 52), (33, 70))
    for degradation in ("bicubic", "real"):
        stream = batches(data, degradation=degradation)
        later = stream.at(8)
        stream.at(0)
        again = batches(data, degradation=degradation).at(8)
        assert all(torch.equal(later[name], again[name]) for name in later)
        other = batches(data, seed=6, degradation=degradation).at(8)
        assert not torch.equal(later["images"], other["images"])
        overlapping = stream.at(7)  # crop i is the same in whatever batch
        assert all(torch.equal(overlapping[name][1:], later[name][:3]) for name in later)


def test_photos_are_drawn_by_the_root_of_their_area() -> None:
    data = photos((16, 16), (48, 48))
    data.images[0][:] = 0
    data.images[1][:] = 255
    stream = PhotoBatches(data, np.arange(2), 2, 4, 4000, 1, CPU)
    assert float(stream.at(0)["images"].mean()) == pytest.approx(0.75, abs=0.03)


def test_only_training_photos_are_drawn() -> None:
    data = photos((16, 16), (16, 16))
    data.images[1][:] = 0
    stream = PhotoBatches(data, np.array([1]), 2, 4, 8, 1, CPU)
    assert not stream.at(0)["images"].any()


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("degradation", ["bicubic", "real"])
def test_small_photos_are_mirrored(degradation: str, channels: int) -> None:
    batch = batches(photos((2, 30), (5, 3), channels=channels), crop=6, degradation=degradation).at(0)
    assert batch["source"].shape == (4, channels, 6, 6)
    assert batch["images"].shape == (4, channels, 24, 24)
    assert 0 <= float(batch["source"].min()) <= float(batch["source"].max()) <= 1


def test_the_weights_of_the_reduction_sum_to_1_and_reach_no_further_than_the_margin() -> None:
    for scale in (2, 3, 4):
        weights = reduction(5, scale)
        assert weights.shape == (5, 9 * scale)
        np.testing.assert_allclose(weights.sum(1), 1)
        assert not weights[0, (2 + 1 + 2) * scale :].any()
        assert not weights[-1, : (4 + 2 - 2) * scale].any()


@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.__name__)
def test_steps_of_the_degradation_change_pictures_and_keep_their_mean(step) -> None:
    image = np.full((24, 24, 3), 120, np.uint8)
    image[5:14, 6:17] = 200
    changed = [step(image, np.random.default_rng(seed)) for seed in range(20)]
    assert all(one.dtype == np.uint8 and one.shape[2] == 3 for one in changed)
    assert sum(one.shape != image.shape or (one != image).any() for one in changed) > 10
    assert np.mean([one.mean() for one in changed]) == pytest.approx(image.mean(), abs=2)


def test_the_blur_is_a_convolution_with_the_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    kernel = gaussian(1.5, 0.7, 0.6)
    monkeypatch.setattr(degradations, "gaussian", lambda *_: kernel)
    image = np.zeros((31, 33, 1), np.uint8)
    image[15, 16] = 250
    found = degradations.blur(image, np.random.default_rng(0))[..., 0].astype(float)
    radius = len(kernel) // 2
    part = found[15 - radius : 16 + radius, 16 - radius : 17 + radius]
    np.testing.assert_allclose(part, kernel * 250, atol=0.51)
    assert found.sum() == part.sum()
    assert kernel.sum() == pytest.approx(1)


def test_a_degraded_picture_has_the_size_asked_for_and_depends_on_the_random_numbers_alone() -> None:
    image = textured(48, 48, 3)
    one, same, other = (degrade(image, (12, 20), np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert one.shape == (12, 20, 3)
    assert (one == same).all()
    assert (one != other).any()
