"""Differentiable augmentation of the discriminator's input, real and generated (Zhao et al. 2020, DiffAugment).

It keeps a discriminator from memorising a small data set. Real and generated images are both augmented, so that the
generator learns the distribution without augmentation.
"""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import pad

SHIFT = 1 / 8  # maximum shift as a fraction of the side
HOLE = 1 / 2  # side of the hole as a fraction of the image's side


def colour(images: Tensor) -> Tensor:
    """Change brightness (up to a quarter of the range), saturation (0 to 2) and contrast (0.5 to 1.5) of each image.

    Input and output are float [n, c, h, w], as in the other functions.
    """
    brightness, saturation, contrast = torch.rand(3, len(images), 1, 1, 1, device=images.device)
    images = images + (brightness - 0.5)
    grey = images.mean(1, keepdim=True)
    images = (images - grey) * (2 * saturation) + grey
    mean = images.mean((1, 2, 3), keepdim=True)
    changed: Tensor = (images - mean) * (contrast + 0.5) + mean
    return changed


def translation(images: Tensor) -> Tensor:
    """Shift each image by up to an eighth of its sides; the border is filled with 0."""
    n, _, height, width = images.shape
    rows = _shifted(n, height, images.device)
    columns = _shifted(n, width, images.device)
    each = torch.arange(n, device=images.device)[:, None, None]
    framed = pad(images, (1, 1, 1, 1)).permute(0, 2, 3, 1)
    return framed[each, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)


def cutout(images: Tensor) -> Tensor:
    """Set a square of half the side to 0 in each image, at a random position that may exceed the image."""
    n, _, height, width = images.shape
    hole = _in_hole(n, height, images.device)[:, None, :, None] & _in_hole(n, width, images.device)[:, None, None, :]
    return images * ~hole


AUGMENTATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "colour": colour,
    "translation": translation,
    "cutout": cutout,
}


def augment(images: Tensor, names: tuple[str, ...]) -> Tensor:
    """Apply the augmentations `names` to `images`, float [n, c, h, w], with random values for each image."""
    for name in names:
        images = AUGMENTATIONS[name](images)
    return images


def _shifted(n: int, side: int, device: torch.device) -> Tensor:
    """For each image and position, the position in the framed image that it is taken from: int64 [n, side]."""
    most = round(side * SHIFT)
    shift = torch.randint(-most, most + 1, (n, 1), device=device)
    return (torch.arange(1, side + 1, device=device) + shift).clamp(0, side + 1)


def _in_hole(n: int, side: int, device: torch.device) -> Tensor:
    """For each image, which positions along one side lie in its hole: bool [n, side]."""
    hole = round(side * HOLE)
    first = torch.randint(0, side + (1 - hole % 2), (n, 1), device=device) - hole // 2
    positions = torch.arange(side, device=device)
    return (positions >= first) & (positions < first + hole)
