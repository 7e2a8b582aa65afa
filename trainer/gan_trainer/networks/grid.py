"""The sizes of the grids of convolutional networks, from the coarsest one to the image."""

import math

from gan_runtime.errors import InputError

COARSEST = 8


def coarse_grid(side: int) -> tuple[int, int]:
    """Side of the coarsest grid, at most 8, and the number of doublings from there to `side`: 28 = 7 * 4, 64 = 8 * 8.

    Raises:
        InputError: `side` is not a small integer times a power of two.
    """
    doublings = max(2, math.ceil(math.log2(side / COARSEST)))
    factor = 2**doublings
    if side % factor:
        lower = side // factor * factor
        sides = f"{lower} or {lower + factor}" if lower else f"{factor}"
        raise InputError(
            f"{side} x {side} pixels: the network doubles a small grid and does not support this size; choose {sides}"
        )
    return side // factor, doublings
