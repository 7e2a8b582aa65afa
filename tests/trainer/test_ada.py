"""Adaptive augmentation (Karras et al. 2020, "Training GANs with limited data") against values known beforehand."""

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from gan_trainer.data.ada import GROUPS, INTERVAL, Ada
from gan_trainer.data.ada.colour import CHANNELS, CHROMA, LUMA, OFFSET, colours, plus, recoloured, rotated
from gan_trainer.data.ada.draw import Draw
from gan_trainer.data.ada.geometry import blits, general, rotation, scaling, translation
from gan_trainer.data.ada.resample import SYM6, filters, moved, resampled, transformed

MANY = 40_000


def pictures(n: int = 4, channels: int = 3, height: int = 24, width: int = 24) -> Tensor:
    return torch.rand(n, channels, height, width, generator=torch.Generator().manual_seed(0)) * 2 - 1


def smooth(n: int, side: int) -> Tensor:
    """Waves that vanish towards the border: what lies outside does not matter."""
    x = torch.linspace(-1, 1, side, dtype=torch.float64)
    wave = torch.sin(5 * x[:, None] + 2) * torch.cos(4 * x + 1) * torch.exp(-8 * (x[:, None] ** 2 + x**2))
    return wave.expand(n, 3, -1, -1).contiguous()


def at(p: float) -> Ada:
    ada = Ada()
    ada.p.fill_(p)
    return ada


def draw(n: int, p: float = 1.0) -> Draw:
    torch.manual_seed(0)
    return Draw(n, torch.tensor(p))


def number(value: float, n: int = 1) -> Tensor:
    return torch.full((n,), value)


@pytest.mark.parametrize("channels", [1, 2, 3])
def test_without_probability_it_is_the_identity_bit_for_bit(channels: int) -> None:
    images = pictures(8, channels, 24, 18)
    assert torch.equal(at(0.0)(images), images)


@pytest.mark.parametrize("group", GROUPS)
@pytest.mark.parametrize("channels", [1, 3])
def test_each_image_is_changed_in_its_own_way(group: str, channels: int) -> None:
    ada = Ada(groups=(group,))
    ada.p.fill_(1.0)
    images = pictures(1, channels).expand(64, -1, -1, -1)
    changed = ada(images)
    assert changed.shape == images.shape
    assert len({tuple(image.flatten().tolist()) for image in changed}) > 16


def test_flips_quarter_turns_and_whole_shifts_move_pixels_exactly() -> None:
    images = pictures()
    ways: list[tuple[Tensor, Callable[[Tensor], Tensor]]] = [
        (scaling(number(-1.0), 1.0), lambda x: x.flip(-1)),
        (rotation(number(0.0), number(1.0)), lambda x: x.rot90(1, (-2, -1))),
        (rotation(number(-1.0), number(0.0)), lambda x: x.rot90(2, (-2, -1))),
    ]
    for matrix, expected in ways:
        assert torch.equal(moved(images, matrix.expand(4, -1, -1)), expected(images))
    right_and_up = moved(images, translation(number(3.0), number(-2.0)).expand(4, -1, -1))
    assert torch.equal(right_and_up[..., :-2, 3:], images[..., 2:, :-3])
    assert torch.equal(right_and_up[..., :-2, :3], images[..., 2:, 1:4].flip(-1))  # mirrored at the first column


def test_blits_are_permutations_of_pixels_where_nothing_is_shifted_in() -> None:
    images = torch.zeros(500, 1, 24, 24)
    images[:, :, 8:16, 8:16] = pictures(1, 1, 8, 8)
    changed = transformed(images, blits(draw(500), 24, 24), torch.eye(3).expand(500, -1, -1))
    assert torch.equal(changed.flatten(1).sort().values, images.flatten(1).sort().values)
    assert len({tuple(image.flatten().tolist()) for image in changed}) > 100


def test_what_is_not_square_makes_half_turns() -> None:
    matrices = blits(draw(500), 24, 18)
    assert not matrices[:, 0, 1].any()
    assert set(matrices[:, 0, 0].tolist()) == {-1.0, 1.0}


def test_the_wavelet_is_orthogonal_and_has_six_vanishing_moments() -> None:
    """Which, with its shape, determines it."""
    for shift in range(6):
        assert float(SYM6[2 * shift :] @ SYM6[: len(SYM6) - 2 * shift]) == pytest.approx(float(shift == 0), abs=1e-8)
    places = torch.arange(12.0, dtype=torch.float64)
    for power in range(6):
        assert float((SYM6 * (-1) ** places * places**power).sum()) == pytest.approx(0, abs=1e-4 * 5**power)
    assert SYM6.argmax() == 5


@pytest.mark.parametrize(("height", "width"), [(24, 24), (17, 30)])
def test_filtering_reconstructs_an_image_that_does_not_move(height: int, width: int) -> None:
    images = pictures(2, 3, height, width).double()
    still = torch.eye(3, dtype=torch.float64).expand(2, -1, -1)
    torch.testing.assert_close(resampled(images, still), images, rtol=0, atol=1e-7)
    assert resampled(torch.ones_like(images), still).sub(1).abs().max() < 1e-7


def test_filtering_agrees_with_exact_moves() -> None:
    images = smooth(1, 48)
    shift, turn = translation(number(3.0), number(-2.0)), rotation(number(0.0), number(1.0))
    torch.testing.assert_close(resampled(images, shift), moved(images, shift), rtol=0, atol=1e-5)
    torch.testing.assert_close(resampled(images, turn), moved(images, turn), rtol=0, atol=0.02)  # sym6 is not symmetric


def test_a_transform_and_its_inverse_give_the_image_back() -> None:
    images = smooth(50, 64)
    matrices = general(draw(50), 64, 64) * torch.tensor([[1.0, 1, 0.3], [1, 1, 0.3], [0, 0, 1]])  # not out of the image
    inverses = torch.linalg.inv(matrices)
    back = resampled(resampled(images, matrices), inverses)
    middle = (slice(None), slice(None), slice(24, 40), slice(24, 40))
    assert (images - resampled(images, matrices))[middle].abs().mean() > 0.1
    assert (images - back)[middle].abs().max() < 0.05


def test_the_composed_matrix_is_the_parts_one_after_another() -> None:
    images, angle = smooth(1, 64), number(0.4)
    parts = [
        scaling(number(0.9), number(0.9)),
        rotation(angle.cos(), angle.sin()),
        scaling(number(1.1), number(1 / 1.1)),
        translation(number(2.5), number(-1.5)),
    ]
    whole = parts[0] @ parts[1] @ parts[2] @ parts[3]
    one_by_one = images
    for part in parts:
        one_by_one = resampled(one_by_one, part)
    torch.testing.assert_close(resampled(images, whole), one_by_one, rtol=0, atol=0.01)
    colour = colours(draw(4))
    rgb = pictures()
    torch.testing.assert_close(
        recoloured(recoloured(rgb, colour), colour.flip(0)), recoloured(rgb, colour.flip(0) @ colour), rtol=0, atol=1e-5
    )
    torch.testing.assert_close(recoloured(recoloured(rgb, colour), torch.linalg.inv(colour)), rgb, rtol=0, atol=1e-4)


def test_only_images_that_need_it_are_filtered() -> None:
    images, still = pictures(6), torch.eye(3).repeat(6, 1, 1)
    some = still.clone()
    some[[1, 4]] = rotation(number(0.6, 2), number(0.8, 2))
    changed, turn = transformed(images, still, some), some[[1, 4]]
    assert torch.equal(changed[[0, 2, 3, 5]], images[[0, 2, 3, 5]])
    assert torch.equal(changed[[1, 4]], resampled(images[[1, 4]], turn))


def test_it_gives_what_the_authors_code_gives() -> None:
    """Pixels of a formula under the geometry and colour of NVlabs/stylegan2-ada-pytorch, at its percentile 0.77."""
    x, y = torch.arange(16.0, 48.0), torch.arange(16.0, 48.0)[:, None]
    images = torch.zeros(1, 3, 64, 64)
    for c in range(3):
        images[0, c, 16:48, 16:48] = torch.sin(1.7 * x + 0.3 * c) * torch.cos(1.1 * y - 0.2 * c)
    normal, angle = (
        0.5224436521530151,
        number(0.54 * math.pi),
    )  # erfinv(0.54), and that share of pi
    scale, turn = number(2 ** (0.2 * normal)), rotation(angle.cos(), angle.sin())
    geometry = scaling(1 / scale, 1 / scale) @ turn @ scaling(1 / scale, scale)
    geometry = geometry @ translation(*[number(normal * 64 / 8)] * 2)
    first = plus(number(2 ** (0.5 * normal) - 1), CHANNELS) @ plus(number(0.2 * normal), OFFSET)
    colour = plus(number(2**normal - 1), CHROMA) @ rotated(angle) @ plus(number(-2.0), LUMA) @ first
    changed = recoloured(transformed(images, torch.eye(3)[None], geometry), colour)
    expected = {
        (0, 30, 40): -0.163842,
        (1, 24, 35): -1.056187,
        (2, 33, 47): -0.238464,
        (0, 40, 44): 0.260854,
        (1, 28, 52): -1.189163,
        (2, 20, 38): 0.153451,
    }
    for place, value in expected.items():
        assert float(changed[0][place]) == pytest.approx(value, abs=1e-4)


P = 0.5
BLITS = {  # probabilities of what is seen in the matrices of `blits` and `general`
    "turned by a quarter": (lambda m: m[:, 0, 0] == 0, P / 2),
    "mirrored": (lambda m: torch.linalg.det(m) < 0, P / 2),
    "shifted": (lambda m: m[:, :2, 2].any(1), P * (1 - 1 / 49)),  # by -3 to 3 pixels: 0 in one of about 6^2
}


@pytest.mark.parametrize("name", BLITS)
def test_blits_are_as_frequent_as_their_probability_says(name: str) -> None:
    seen, expected = BLITS[name]
    share = float(seen(blits(draw(MANY, P), 24, 24)).float().mean())
    assert share == pytest.approx(expected, abs=0.015)


def test_general_transforms_are_as_frequent_as_their_probability_says() -> None:
    matrices = general(draw(MANY, P), 24, 24)
    linear, shift = matrices[:, :2, :2], matrices[:, :2, 2]
    scaled = (torch.linalg.det(linear) - 1).abs() > 1e-4
    skewed = (linear.transpose(1, 2) @ linear - torch.linalg.det(linear)[:, None, None] * torch.eye(2)).abs() > 1e-4
    turned = linear[:, 0, 1] != 0
    shares = [seen.float().mean() for seen in (scaled, skewed.flatten(1).any(1), turned, shift.any(1))]
    torch.testing.assert_close(torch.stack(shares), torch.full((4,), P), rtol=0, atol=0.015)
    still = (matrices == torch.eye(3)).flatten(1).all(1).float().mean()
    assert float(still) == pytest.approx((1 - P) ** 4, abs=0.01)


def test_colours_are_as_frequent_as_their_probability_says() -> None:
    matrices = colours(draw(MANY, P))
    grey = matrices[:, :3, :3] @ torch.ones(3)  # where the grey axis goes: contrast, and inversion of luma
    chroma = matrices[:, :3, :3] @ torch.tensor([1.0, -1.0, 0.0])
    length, factor = chroma.norm(dim=1) / 2**0.5, grey.norm(dim=1) / 3**0.5
    shares = {
        "brightness": (matrices[:, :3, 3].abs().sum(1) > 1e-6, P),
        "contrast": ((factor - 1).abs() > 1e-5, P),
        "luma": (grey[:, 0] < 0, P / 2),
        "hue": (chroma[:, 2].abs() > 1e-6, P),
        "saturation": ((length / factor - 1).abs() > 1e-5, P),
    }
    for name, (seen, expected) in shares.items():
        assert float(seen.float().mean()) == pytest.approx(expected, abs=0.015), name


def test_parameters_have_the_published_distributions() -> None:
    """Means of 0, and the deviations of Karras et al. 2020, appendix B."""
    one = draw(MANY)
    values = {
        "scale": (one.factors(0.2).log2(), 0.2),
        "angle": (one.angles(one.p), math.pi / 3**0.5),
        "offset": (one.offsets(1 / 8, 2)[1], 1 / 8),
        "shift": (one.shifts(1 / 8, 2)[0], 1 / 8 / 3**0.5),
    }
    for name, (sample, deviation) in values.items():
        assert float(sample.mean()) == pytest.approx(0, abs=5 * deviation / MANY**0.5), name
        assert float(sample.std()) == pytest.approx(deviation, rel=0.02), name
    turns = torch.bincount(one.whole(4).long(), minlength=4) / MANY
    torch.testing.assert_close(turns, torch.full((4,), 0.25), rtol=0, atol=0.015)


def test_the_mean_of_many_augmented_images_is_in_the_middle() -> None:
    """No direction, side or tint is preferred: of a grey picture, the mean is symmetric and as bright as before."""
    torch.manual_seed(0)
    images = torch.zeros(1, 3, 12, 12)
    images[:, :, 4:8, 4:8] = 0.5
    ada = Ada(groups=("blit", "geometry"))
    ada.p.fill_(1.0)
    mean = ada(images.expand(MANY // 4, -1, -1, -1)).mean(0)
    for other in (mean.flip(-1), mean.flip(-2), mean.transpose(-1, -2)):
        torch.testing.assert_close(mean, other, rtol=0, atol=0.02)
    colour = colours(draw(MANY))[:, :3, 3].mean(0)
    torch.testing.assert_close(colour, colour.mean().expand(3), rtol=0, atol=1e-5)
    assert abs(float(colour.mean())) < 0.01


def test_hue_turns_about_the_grey_axis() -> None:
    images = pictures(64)
    turned = recoloured(images, rotated(draw(64).angles(torch.tensor(1.0))))
    torch.testing.assert_close(images.mean(1), turned.mean(1), rtol=0, atol=1e-6)
    third = recoloured(images, rotated(number(2 * math.pi / 3, 64)))  # red becomes green becomes blue
    torch.testing.assert_close(third, images.roll(1, 1), rtol=0, atol=1e-6)


def test_colours_of_grey_images_are_those_of_equal_channels() -> None:
    grey, matrices = pictures(16, 1), colours(draw(16))
    both = recoloured(grey.expand(-1, 3, -1, -1).contiguous(), matrices)
    torch.testing.assert_close(recoloured(grey, matrices), both[:, :1], rtol=0, atol=1e-5)
    torch.testing.assert_close(recoloured(grey, plus(number(-2.0, 16), LUMA)), -grey)


@pytest.mark.parametrize("group", GROUPS)
def test_gradients_and_their_gradients_are_right(group: str) -> None:
    ada = Ada(groups=(group,))
    ada.p.fill_(0.7)
    images = pictures(2, 3, 3, 4).double().requires_grad_()

    def augmented(images: Tensor) -> Tensor:
        torch.manual_seed(1)
        return ada(images).pow(3)

    assert torch.autograd.gradcheck(augmented, images)
    assert torch.autograd.gradgradcheck(augmented, images)


def test_a_gradient_penalty_goes_through_it() -> None:
    """As R1: the gradient of a discriminator's logits at the images, differentiated by its weights."""
    weights = torch.randn(3 * 24 * 24, requires_grad=True)
    images = pictures().requires_grad_()
    logits = (at(1.0)(images).flatten(1) @ weights).square()
    (slope,) = torch.autograd.grad(logits.sum(), images, create_graph=True)
    slope.square().sum().backward()
    assert weights.grad is not None
    assert weights.grad.abs().max() > 0


def test_the_probability_follows_the_signs() -> None:
    ada = Ada(target=0.5, speed=1000)
    over, under, even = (torch.tensor(signs) for signs in ([3.0, 0.1], [-1.0, 2.0], [1.0, 1.0, 1.0, -1.0]))
    for batch in range(1, 2 * INTERVAL + 1):
        assert float(ada.observe(over)) == 1.0
        assert float(ada.p) == pytest.approx(2 * INTERVAL * (batch // INTERVAL) / 1000)
    for _ in range(INTERVAL):
        assert float(ada.observe(even)) == 0.5  # the target: it stays
    assert float(ada.p) == pytest.approx(0.016)
    for _ in range(INTERVAL):
        assert float(ada.observe(under)) == 0.0
    assert float(ada.p) == pytest.approx(0.008)


def test_the_probability_stays_within_0_and_1() -> None:
    ada = Ada(speed=INTERVAL)
    for logits, expected in ((torch.ones(8), 1.0), (-torch.ones(8), 0.0), (-torch.ones(8), 0.0)):
        for _ in range(INTERVAL):
            ada.observe(logits)
        assert float(ada.p) == expected


def test_filters_are_made_once() -> None:
    one, other = (filters(16, torch.float32, torch.device("cpu")) for _ in range(2))
    assert one is other
