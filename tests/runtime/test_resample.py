"""MATLAB's imresize, and PSNR and SSIM on luma.

MATLAB R2015b's own results, which github.com/fatheral/matlab_imresize has (Lena of 512 x 512 at 123 x 234, as uint8 and
as double), were reproduced without a difference. The numbers here are of formula pictures: resized by the code of that
project at ddba84c, measured by calculate_psnr and calculate_ssim of BasicSR at 8d56e3a.
"""

import numpy as np
import pytest
from formulas import textured

from gan_runtime.errors import InputError
from gan_runtime.evaluation.metrics.luminance import luma, on_luma
from gan_runtime.images.resample import cropped, enlarged, imresize, reduced

DOUBLES = {  # of `textured(37, 53, 3)`: every eighth part of the values
    (12, 17): [196.1039, 191.3303, 108.533, 76.6146, 130.0865, 121.4416, 209.183, 208.3522],
    (9, 13): [196.8524, 73.3855, 165.6107, 59.0964, 138.8492, 130.7884, 144.4998, 106.7214],
    (74, 106): [176.3721, 81.7781, 95.1406, 161.3034, 186.4734, 212.9166, 89.1766, 44.0685],
    (20, 90): [182.5408, 234.2884, 87.4749, 31.5157, 151.4076, 52.3102, 106.7021, 210.085],
    (1, 1): [120.8613, 120.8195, 120.9077],
}
BYTES = {(12, 17): 73966, (20, 90): 652626, (1, 1): 363}  # the sum of the values; these sizes have no ties to round
ON_LUMA = {  # shape, scale: PSNR and SSIM of bicubic enlargements of `reduced`
    ((48, 64, 3), 2): (24.6659, 0.81847),
    ((48, 64, 3), 3): (23.3042, 0.72695),
    ((48, 64, 3), 4): (21.9128, 0.62540),
    ((37, 53, 3), 4): (22.0974, 0.60688),
    ((41, 30, 1), 3): (21.6979, 0.76336),
}


@pytest.mark.parametrize("size", DOUBLES, ids=str)
def test_doubles_are_resized_as_in_matlab(size: tuple[int, int]) -> None:
    found = imresize(textured(37, 53, 3) / 1.0, size)
    assert (found.shape, found.dtype) == ((*size, 3), np.float64)
    np.testing.assert_allclose(found.reshape(-1)[:: -(-found.size // 8)], DOUBLES[size], atol=6e-5)


@pytest.mark.parametrize("size", BYTES, ids=str)
def test_bytes_are_rounded_after_each_side(size: tuple[int, int]) -> None:
    found = imresize(textured(37, 53, 3), size)
    assert (found.dtype, int(found.sum(dtype=int))) == (np.uint8, BYTES[size])


def test_the_side_that_shrinks_most_is_resized_first() -> None:
    picture = textured(37, 53, 3)
    rows_first = imresize(imresize(picture, (9, 53)), (9, 26))
    columns_first = imresize(imresize(picture, (37, 26)), (9, 26))
    assert (imresize(picture, (9, 26)) == rows_first).all()
    assert (rows_first != columns_first).any()


def test_halves_are_rounded_away_from_zero() -> None:
    assert imresize(np.array([[100, 101], [100, 101]], np.uint8), (1, 1)).tolist() == [[101]]


def test_a_uniform_picture_stays_uniform_and_grey_is_resized_as_a_channel() -> None:
    assert (imresize(np.full((5, 7, 3), 131, np.uint8), (23, 2)) == 131).all()
    picture = textured(20, 24, 3)
    each = np.stack([imresize(picture[..., c], (7, 11)) for c in range(3)], -1)
    assert (imresize(picture, (7, 11)) == each).all()


def test_a_picture_of_the_same_size_is_the_same() -> None:
    picture = textured(9, 14, 1)
    assert (imresize(picture, (9, 14)) == picture).all()


@pytest.mark.parametrize(("image", "size"), [(np.zeros((0, 4, 3), np.uint8), (2, 2)), (np.zeros((4, 4), bool), (2, 2))])
def test_what_is_no_picture_is_refused(image: np.ndarray, size: tuple[int, int]) -> None:
    with pytest.raises(InputError, match=r"must be uint8 or float \[h, w, c\]"):
        imresize(image, size)


def test_a_size_without_pixels_is_refused() -> None:
    with pytest.raises(InputError, match="at least 1 x 1"):
        imresize(textured(4, 4, 1), (0, 3))
    with pytest.raises(InputError, match="3 x 9 pixels has less than one pixel at 1/4"):
        reduced(textured(9, 3, 1), 4)


@pytest.mark.parametrize(("case", "expected"), ON_LUMA.items(), ids=str)
def test_metrics_on_luma_are_those_of_basicsr(
    case: tuple[tuple[int, int, int], int], expected: tuple[float, float]
) -> None:
    shape, scale = case
    picture = textured(*shape)
    found = on_luma(enlarged(reduced(picture, scale), scale), cropped(picture, scale), scale)
    assert found == pytest.approx(expected, abs=6e-5)


def test_luma_spans_16_to_235_and_grey_is_not_converted() -> None:
    ends = np.array([[[0, 0, 0], [255, 255, 255]]], np.uint8)
    assert luma(ends).reshape(-1) == pytest.approx([16, 235])
    assert luma(ends[..., :1]).reshape(-1).tolist() == [0, 255]


def test_borders_do_not_count_and_small_pictures_are_refused() -> None:
    truth = textured(20, 20, 3)
    spoilt = truth.copy()
    spoilt[:4] = 0
    assert on_luma(spoilt, truth, 4) == (100.0, pytest.approx(1.0))
    with pytest.raises(InputError, match="at least 11 x 11 pixels inside of a border of 5"):
        on_luma(truth, truth, 5)
    with pytest.raises(InputError, match="must both be"):
        on_luma(truth, truth[:12], 4)
