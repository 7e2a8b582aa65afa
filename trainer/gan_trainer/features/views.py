"""Training inputs of the general features: random views of images, and images with a known distortion."""

import math

import torch
from torch import Tensor
from torch.nn.functional import affine_grid, avg_pool2d, conv2d, grid_sample, interpolate, pad

SMALLEST = 0.67  # side of a cropped view
TURN = 10.0  # maximum in degrees
GREY = 0.2  # fraction of views without colour
GAIN, OFFSET = 0.4, 0.3


def random_views(images: Tensor, mirror: Tensor) -> Tensor:
    """Crop, rotate, optionally mirror each image, and change its colours, all at random.

    Args:
        images: float [n, 3, h, w] in [-1, 1].
        mirror: bool [n], which images may be mirrored.
    """
    n = len(images)
    moved = _moved(images, mirror)
    gain = 1.0 + GAIN * _chance(n, 1) + 0.5 * GAIN * _chance(n, 3)
    offset = OFFSET * _chance(n, 1) + 0.5 * OFFSET * _chance(n, 3)
    changed = moved * gain + offset
    grey = changed.mean(1, keepdim=True).expand_as(changed)
    return torch.where(torch.rand(n, 1, 1, 1) < GREY, grey, changed).clamp(-1.0, 1.0)


def _moved(images: Tensor, mirror: Tensor) -> Tensor:
    n = len(images)
    side = SMALLEST + (1.0 - SMALLEST) * torch.rand(n)
    x, y = (1.0 - side) * (2 * torch.rand(2, n) - 1)
    angle = math.radians(TURN) * (2 * torch.rand(n) - 1)
    flip = torch.where(mirror & (torch.rand(n) < 0.5), -1.0, 1.0)
    cos, sin = torch.cos(angle) * side, torch.sin(angle) * side
    theta = torch.stack([cos * flip, -sin, x, sin * flip, cos, y], 1).view(n, 2, 3)
    grid = affine_grid(theta, list(images.shape), align_corners=False)
    return grid_sample(images, grid, padding_mode="border", align_corners=False)


def _chance(n: int, channels: int) -> Tensor:
    """Uniform in [-1, 1], [n, channels, 1, 1]."""
    return 2 * torch.rand(n, channels, 1, 1) - 1


def distorted(images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Distort each image in a random way from `DISTORTIONS`.

    Args:
        images: float [n, 3, h, w] in [-1, 1].

    Returns:
        Images of the same shape; the distortion, int64 [n]; its strength on a logarithmic scale, float [n] in [0, 1].
    """
    n = len(images)
    kinds, strengths = torch.randint(len(DISTORTIONS), (n,)), torch.rand(n)
    result = images.clone()
    for index, distort in enumerate(DISTORTIONS.values()):
        chosen = (kinds == index).nonzero()[:, 0]
        if len(chosen):
            result[chosen] = distort(images[chosen], strengths[chosen][:, None, None, None]).clamp(-1.0, 1.0)
    return result, kinds, strengths


def _between(low: float, high: float, strengths: Tensor) -> Tensor:
    return low * (high / low) ** strengths


def _as_it_is(images: Tensor, _: Tensor) -> Tensor:
    return images


def _blur(images: Tensor, strengths: Tensor) -> Tensor:
    """Gaussian blur with a standard deviation of 0.4 to 4 pixels."""
    reach, (n, c, h, w) = 9, images.shape
    places = torch.arange(-reach, reach + 1).float()
    kernels = torch.exp(-0.5 * (places / _between(0.4, 4.0, strengths.view(n, 1))) ** 2)
    kernels = (kernels / kernels.sum(1, keepdim=True)).repeat_interleave(c, 0)[:, None]
    flat = pad(images, [reach] * 4, "reflect").reshape(1, n * c, h + 2 * reach, w + 2 * reach)
    blurred = conv2d(conv2d(flat, kernels[:, :, :, None], groups=n * c), kernels[:, :, None, :], groups=n * c)
    return blurred.view(n, c, h, w)


def _noise(images: Tensor, strengths: Tensor) -> Tensor:
    return images + _between(0.02, 0.5, strengths) * torch.randn_like(images)


def _coarse(images: Tensor, strengths: Tensor) -> Tensor:
    """Blend with a copy at a quarter of the resolution."""
    coarse = interpolate(avg_pool2d(images, 4), scale_factor=4.0, mode="nearest")
    return images.lerp(coarse, _between(0.05, 1.0, strengths))


def _colours(images: Tensor, strengths: Tensor) -> Tensor:
    amount = _between(0.03, 0.6, strengths)
    signs = torch.sign(_chance(len(images), 3))
    return images * (1.0 + amount * torch.sign(_chance(len(images), 1))) + amount * signs


def _occlusion(images: Tensor, strengths: Tensor) -> Tensor:
    """A rectangle of one colour, up to half of the side wide."""
    (n, _, h, w), half = images.shape, _between(0.08, 0.5, strengths) / 2
    y, x = (torch.rand(2, n, 1, 1, 1) * (1 - 2 * half) + half).unbind()
    rows, columns = (torch.arange(h) + 0.5)[:, None] / h, (torch.arange(w) + 0.5)[None] / w
    inside = ((rows - y).abs() < half) & ((columns - x).abs() < half)
    return torch.where(inside, _chance(n, 3), images)


def _checkerboard(images: Tensor, strengths: Tensor) -> Tensor:
    """The pattern of badly set transposed convolutions (Odena et al. 2016)."""
    h, w = images.shape[2:]
    pattern = ((torch.arange(h)[:, None] + torch.arange(w)[None]) % 2).float() * 2 - 1
    return images + _between(0.03, 0.4, strengths) * pattern * (1.0 - images.abs() * 0.5)


DISTORTIONS = {
    "none": _as_it_is,
    "blur": _blur,
    "noise": _noise,
    "coarse": _coarse,
    "colours": _colours,
    "occlusion": _occlusion,
    "checkerboard": _checkerboard,
}
