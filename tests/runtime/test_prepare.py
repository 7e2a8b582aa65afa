"""Inputs that are made from pictures: by definition, of any size, and the same on every host."""

import hashlib

import numpy as np
import pytest
from PIL import Image

from gan_runtime.images import prepare
from gan_runtime.images.prepare import PREPARATIONS, blur, channels_of, grey, low, mask, sketch


def picture(height: int = 40, width: int = 56, channels: int = 3) -> np.ndarray:
    """Waves of another frequency in each channel, with a dark disc."""
    y, x = np.mgrid[:height, :width]
    waves = [128 + 90 * np.sin((x * (c + 1) + y * (3 - c)) / 7) for c in range(channels)]
    image = np.rint(np.stack(waves, axis=2)).astype(np.uint8)
    image[(y - 20) ** 2 + (x - 30) ** 2 < 90] = 10
    return image


DIGESTS = {
    "sketch": "de57c8f4a7bd743e",
    "grey": "a3c6ba43e4b33b67",
    "blur": "7dde277b358548bf",
    "mask": "13d77165e19085a3",
    "low": "60378dc9c5d484ef",
}


@pytest.mark.parametrize("kind", PREPARATIONS)
@pytest.mark.parametrize("channels", [1, 3])
def test_pictures_of_any_size(kind: str, channels: int) -> None:
    for height, width in ((1, 1), (1, 7), (3, 2), (5, 5), (40, 56)):
        image = picture(height, width, channels)
        before = image.copy()
        made = PREPARATIONS[kind](image)
        assert made.dtype == np.uint8
        assert made.shape == (height, width, channels_of(kind, channels))
        assert np.array_equal(image, before)
        assert np.array_equal(made, PREPARATIONS[kind](image[::-1][::-1]))


@pytest.mark.parametrize("kind", PREPARATIONS)
def test_the_result_is_the_same_on_every_host(kind: str) -> None:
    """If the results are meant to change, `VERSION` has to change with them."""
    assert prepare.VERSION == 2
    assert hashlib.sha256(PREPARATIONS[kind](picture()).tobytes()).hexdigest()[:16] == DIGESTS[kind]


@pytest.mark.parametrize("kind", ["sketch", "blur"])
def test_bands_are_as_the_whole(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    image = picture(90, 30)
    whole = PREPARATIONS[kind](image)
    for at_once in (1, 30 * 11, 30 * 45, 30 * 89):
        monkeypatch.setattr(prepare, "AT_ONCE", at_once)
        assert np.array_equal(PREPARATIONS[kind](image), whole)


def test_a_sketch_has_dark_lines_at_edges_alone() -> None:
    image = np.full((32, 32, 3), 200, np.uint8)
    image[:, 16:, 1] = 40  # an edge in one channel
    drawn = sketch(image)[..., 0]
    assert (drawn[:, 15:17] == 0).all()
    assert (drawn[:, :15] == 255).all()
    assert (drawn[:, 17:] == 255).all()
    faint = image.copy()
    faint[:, 16:, 1] = 190
    assert (sketch(faint) == 255).all()
    between = image.copy()
    between[:, 16:, 1] = 150
    assert 0 < sketch(between)[16, 15, 0] < 255


def test_a_sketch_has_no_direction() -> None:
    image, drawn = picture(), sketch(picture())
    assert np.array_equal(sketch(image[:, ::-1]), drawn[:, ::-1])
    assert np.array_equal(sketch(image[::-1]), drawn[::-1])
    assert 0.02 < (drawn < 128).mean() < 0.5


def test_grey_is_that_of_pillow() -> None:
    image = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    assert np.array_equal(grey(image)[..., 0], np.asarray(Image.fromarray(image).convert("L")))
    assert np.array_equal(grey(grey(image)), grey(image))


def test_blur_by_definition() -> None:
    image, steps, weights = picture(channels=1), np.arange(-6, 7), np.array(prepare.BLUR) / 1024
    assert abs((weights * steps**2).sum() - 2.0**2) < 0.1
    framed = np.pad(image[..., 0].astype(float), 6, mode="edge")
    rows = np.apply_along_axis(np.convolve, 0, framed, weights, "valid")
    expected = np.apply_along_axis(np.convolve, 1, rows, weights, "valid")
    assert np.abs(blur(image)[..., 0] - expected).max() <= 0.501


def test_a_mask_is_a_square_whose_position_depends_on_the_pixels() -> None:
    places = set()
    for number in range(200):
        image = picture()
        image[0, 0] = number
        masked = mask(image)
        rows, columns = np.nonzero((masked != image).any(2))
        top, left = rows.min(), columns.min()
        assert (masked[top : top + 20, left : left + 20] == 127).all()
        outside = np.ones(image.shape[:2], bool)
        outside[top : top + 20, left : left + 20] = False
        assert np.array_equal(masked[outside], image[outside])
        places.add((top, left))
    assert len(places) > 100
    tops, lefts = (np.array(one) for one in zip(*places, strict=True))
    assert (tops.min(), tops.max()) == (0, 20)
    assert lefts.min() <= 1
    assert lefts.max() >= 35


def test_a_small_copy_has_the_means_of_blocks() -> None:
    image = picture(64, 96)
    small = Image.fromarray(image).reduce(4)
    assert np.array_equal(low(image), np.asarray(small.resize((96, 64), Image.Resampling.BICUBIC)))
    assert np.array_equal(low(np.full((33, 35, 3), 77, np.uint8)), np.full((33, 35, 3), 77, np.uint8))
    ramp = np.repeat(np.arange(0, 198, 2, dtype=np.uint8)[None, :, None], 50, 0)  # 99 columns, not a multiple of 4
    assert np.abs(low(ramp)[:, 8:-8].astype(int) - ramp[:, 8:-8]).max() <= 2  # not shifted
