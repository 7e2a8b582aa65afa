"""How convolutional networks get from a coarse grid to the image's side."""

import math

from gan_runtime.errors import InputError

COARSEST = 8


def coarse_grid(side: int) -> tuple[int, int]:
    """Side of the coarsest grid, at most 8, and how many doublings lead from there to `side`: 28 = 7 * 4, 64 = 8 * 8.

    Raises:
        InputError: doubling a whole number does not lead to `side`.
    """
    doublings = max(2, math.ceil(math.log2(side / COARSEST)))
    factor = 2**doublings
    if side % factor:
        lower = side // factor * factor
        sides = f"{lower} or {lower + factor}" if lower else f"{factor}"
        raise InputError(f"{side} x {side} pixels: convolutions double a small grid; choose {sides}")
    return side // factor, doublings
