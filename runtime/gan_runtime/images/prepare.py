"""Make the input of an image-to-image network from a picture: sketch, grey, blur, mask or low.

A training host makes the inputs of its training images with these functions, and a deploy host that of a photo. Each
takes a picture uint8 [h, w, 3 or 1] of any size and returns uint8 [h, w, c] of the same size. The results are the same
on every host: filters are computed in integers.
"""

import hashlib
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
Plane = NDArray[np.int64]

VERSION = 2  # of the results
SMOOTHING = (1, 42, 170, 42, 1)  # / 256: a Gaussian with a standard deviation of 0.6 pixels, before edges are detected
FAINT, DARK = 0.10, 0.35  # strengths of edges that are drawn in white and in black; 1 is a step from black to white
BLUR = (2, 9, 28, 66, 124, 180, 206, 180, 124, 66, 28, 9, 2)  # / 1024: a standard deviation of 2 pixels
HOLE = 0.5  # side of the hole as a fraction of the picture's shorter side
HOLE_COLOUR = 127
AT_ONCE = 2**20  # pixels of a band
REDUCTION = 4  # by so much is the small copy smaller
STEEP = (408, 985)  # their ratio is the tangent of an eighth of a half-turn


def sketch(picture: Pixels) -> Pixels:
    """A pencil drawing, dark lines on white: uint8 [h, w, 1].

    The lines are the edges of the colour channel that changes most at a pixel: the magnitude of the Sobel gradient
    after slight smoothing, where it is a local maximum across the edge (non-maximum suppression, Canny 1986).
    """
    return _in_bands(_drawn, picture, context=len(SMOOTHING) // 2 + 2)


def grey(picture: Pixels) -> Pixels:
    """Luma of ITU-R BT.601, as Pillow's mode L: uint8 [h, w, 1]."""
    return picture if picture.shape[2] == 1 else _in_bands(_luma, picture, context=0)


def blur(picture: Pixels) -> Pixels:
    """Gaussian blur with a standard deviation of 2 pixels."""
    return _in_bands(_blurred, picture, context=len(BLUR) // 2)


def mask(picture: Pixels) -> Pixels:
    """The picture with a square hole in mid-grey, level 127. Its side is half of the picture's shorter side.

    The position is uniform among those within the picture, and a function of the picture's pixels.
    """
    height, width, _ = picture.shape
    side = max(1, round(HOLE * min(height, width)))
    digest = hashlib.sha256(picture.tobytes()).digest()
    top = int.from_bytes(digest[:8], "big") % (height - side + 1)
    left = int.from_bytes(digest[8:16], "big") % (width - side + 1)
    masked = picture.copy()
    masked[top : top + side, left : left + side] = HOLE_COLOUR
    return masked


def low(picture: Pixels) -> Pixels:
    """A copy of a quarter of the width and height, by averages of 4 x 4 pixels, enlarged again (bicubic)."""
    from PIL import Image  # noqa: PLC0415

    height, width, channels = picture.shape
    small = Image.fromarray(picture if channels == 3 else picture[..., 0]).reduce(REDUCTION)
    covered = (0.0, 0.0, width / REDUCTION, height / REDUCTION)  # the last column of blocks may be an incomplete one
    large = small.resize((width, height), Image.Resampling.BICUBIC, box=covered)
    return np.asarray(large, np.uint8).reshape(height, width, channels)


PREPARATIONS: dict[str, Callable[[Pixels], Pixels]] = {
    "sketch": sketch,
    "grey": grey,
    "blur": blur,
    "mask": mask,
    "low": low,
}


def channels_of(prepared: str, channels: int) -> int:
    """The number of channels that a preparation makes of a picture with so many."""
    return int(PREPARATIONS[prepared](np.zeros((8, 8, channels), np.uint8)).shape[2])


def _in_bands(prepare: Callable[[Pixels], Pixels], picture: Pixels, context: int) -> Pixels:
    """The result for the whole picture in bounded memory. A pixel depends on `context` rows above and below."""
    height, width, _ = picture.shape
    rows, bands = max(context, 1, AT_ONCE // width), []
    for top in range(0, height, rows):
        first = max(top - context, 0)
        made = prepare(picture[first : top + rows + context])
        bands.append(made[top - first :][:rows])
    return np.concatenate(bands)


def _drawn(picture: Pixels) -> Pixels:
    square, across, down = _gradient(picture)
    step = 4 * 255 * sum(SMOOTHING) ** 2  # the gradient at a step from black to white
    ink = (np.sqrt(square) / step - FAINT) / (DARK - FAINT)
    ink[~_is_ridge(square, across, down)] = 0
    drawn: Pixels = np.rint(255 - 255 * ink.clip(0, 1)).astype(np.uint8)
    return drawn[..., None]


def _luma(picture: Pixels) -> Pixels:
    red, green, blue = (picture[..., channel].astype(np.uint32) for channel in range(3))
    luma: Pixels = ((red * 19595 + green * 38470 + blue * 7471 + 0x8000) >> 16).astype(np.uint8)
    return luma[..., None]


def _blurred(picture: Pixels) -> Pixels:
    scale = sum(BLUR) ** 2
    sums = [_smooth(picture[..., channel], BLUR) for channel in range(picture.shape[2])]
    return np.stack([((one + scale // 2) // scale).astype(np.uint8) for one in sums], axis=2)


def _gradient(picture: Pixels) -> tuple[Plane, Plane, Plane]:
    """Squared length, horizontal and vertical part [h, w] of the gradient of the channel in which it is the longest."""
    longest, across, down = (np.zeros(picture.shape[:2], np.int64) for _ in range(3))
    for channel in range(picture.shape[2]):
        plane = np.pad(_smooth(picture[..., channel], SMOOTHING), 1, mode="edge")
        columns = plane[:-2] + 2 * plane[1:-1] + plane[2:]
        rows = plane[:, :-2] + 2 * plane[:, 1:-1] + plane[:, 2:]
        x, y = columns[:, 2:] - columns[:, :-2], rows[2:] - rows[:-2]
        square = x.astype(np.int64) ** 2 + y.astype(np.int64) ** 2
        longer = square > longest
        for best, found in ((longest, square), (across, x), (down, y)):
            np.copyto(best, found, where=longer)
    return longest, across, down


def _is_ridge(square: Plane, across: Plane, down: Plane) -> NDArray[np.bool_]:
    """Where the gradient is not shorter than at both neighbours in its direction, of eight directions."""
    height, width = square.shape
    framed = np.pad(square, 1)

    def maximum(dy: int, dx: int) -> NDArray[np.bool_]:
        one = framed[1 + dy : 1 + dy + height, 1 + dx : 1 + dx + width]
        other = framed[1 - dy : 1 - dy + height, 1 - dx : 1 - dx + width]
        return (square >= one) & (square >= other)

    x, y = np.abs(across), np.abs(down)
    horizontal, vertical = y * STEEP[1] <= x * STEEP[0], x * STEEP[1] <= y * STEEP[0]
    diagonal = np.where((across > 0) == (down > 0), maximum(1, 1), maximum(1, -1))
    return np.where(horizontal, maximum(0, 1), np.where(vertical, maximum(1, 0), diagonal))


def _smooth(plane: Pixels, weights: tuple[int, ...]) -> NDArray[np.int32]:
    """A plane [h, w] after a filter along rows and columns, times the square of the sum of its weights.

    The border is repeated.
    """
    smooth, radius = plane.astype(np.int32), len(weights) // 2
    for _ in ("columns", "rows"):
        framed = np.pad(smooth, ((radius, radius), (0, 0)), mode="edge")
        added = np.zeros_like(smooth)
        for place, weight in enumerate(weights):
            added += weight * framed[place : place + len(added)]
        smooth = added.T
    return smooth
