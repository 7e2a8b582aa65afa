"""Geometric augmentations as 3x3 matrices of homogeneous coordinates.

A matrix takes a point of the result to the point of the image that is seen there. Points are in pixels from the centre,
x to the right and y downwards. Of two operations, the first one is the left factor of the product.
"""

import torch
from torch import Tensor

from gan_trainer.data.ada.draw import Draw

MOST_SHIFT = 1 / 8  # of the side, in whole pixels
SCALE, STRETCH = 0.2, 0.2  # deviations of the logarithms to base 2
SHIFT = 1 / 8  # deviation, of the side
COSINES, SINES = torch.tensor([[1.0, 0.0, -1.0, 0.0], [0.0, 1.0, 0.0, -1.0]])  # of quarter turns: exact


def blits(draw: Draw, height: int, width: int) -> Tensor:
    """Flips, quarter turns and shifts by whole pixels: float [n, 3, 3]. Whatever is not square makes half turns."""
    flip, turn = 1 - 2 * draw.whole(2), draw.whole(4).long()
    turn = turn if height == width else turn // 2 * 2
    x, y = draw.shifts(MOST_SHIFT, 2)
    cosine, sine = COSINES.to(flip.device)[turn], SINES.to(flip.device)[turn]
    return scaling(flip, 1.0) @ rotation(cosine, sine) @ translation((x * width).round(), (y * height).round())


def general(draw: Draw, height: int, width: int) -> Tensor:
    """Scale, rotation, stretch along one axis, rotation, and shift: float [n, 3, 3].

    Each rotation has the probability 1 - sqrt(1 - p), so that an image is rotated with probability p.
    """
    once = 1 - (1 - draw.p).sqrt()
    scale, before = draw.factors(SCALE), draw.angles(once)
    stretch, after = draw.factors(STRETCH), draw.angles(once)
    x, y = draw.offsets(SHIFT, 2)
    rotations = [rotation(angle.cos(), angle.sin()) for angle in (before, after)]
    first = scaling(1 / scale, 1 / scale) @ rotations[0]
    return first @ scaling(1 / stretch, stretch) @ rotations[1] @ translation(x * width, y * height)


def scaling(x: Tensor, y: Tensor | float) -> Tensor:
    """Multiply coordinates by x and y, float [n]: [n, 3, 3]."""
    return _matrices(x, 0.0, 0.0, 0.0, y, 0.0)


def rotation(cosine: Tensor, sine: Tensor) -> Tensor:
    """Rotate by an angle from the axis x to the axis y: float [n] -> [n, 3, 3]."""
    return _matrices(cosine, -sine, 0.0, sine, cosine, 0.0)


def translation(x: Tensor, y: Tensor) -> Tensor:
    """Move what is seen by x and y pixels, float [n]: [n, 3, 3]."""
    return _matrices(1.0, 0.0, -x, 0.0, 1.0, -y)


def _matrices(*entries: Tensor | float) -> Tensor:
    """Matrices with these six entries in their first two rows."""
    like = next(entry for entry in entries if isinstance(entry, Tensor))
    columns = [
        entry if isinstance(entry, Tensor) else torch.full_like(like, entry) for entry in (*entries, 0.0, 0.0, 1.0)
    ]
    return torch.stack(columns, -1).view(-1, 3, 3)
