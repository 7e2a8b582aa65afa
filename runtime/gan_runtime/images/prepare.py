"""Make the input of an image-to-image network from a picture: sketch, grey, blur, mask or low.

A training host makes the inputs of its training images with these functions, and a deploy host that of a photo. Each
takes a picture uint8 [h, w, 3 or 1] of any size and returns uint8 [h, w, c] of the same size. The results are the same
on every host: they are computed in integers, or by single operations in float32.
"""

import hashlib
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
Plane = NDArray[np.float32]

VERSION = 1  # of the results
SMOOTHING = 0.6  # standard deviation in pixels, before edges are detected
FAINT, DARK = 0.10, 0.35  # strengths of edges that are drawn in white and in black; 1 is a step from black to white
BLUR = 2.0  # standard deviation in pixels
HOLE = 0.5  # side of the hole as a fraction of the picture's shorter side
HOLE_COLOUR = 127
REDUCTION = 4  # by so much is the small copy smaller
FULL = np.float32(255)
STEEP = float(np.tan(np.pi / 8))


def sketch(picture: Pixels) -> Pixels:
    """A pencil drawing, dark lines on white: uint8 [h, w, 1].

    The lines are the edges of the colour channel that changes most at a pixel: the magnitude of the Sobel gradient
    after slight smoothing, where it is a local maximum across the edge (non-maximum suppression, Canny 1986).
    """
    strength, across, down = _gradient(picture)
    ink = np.where(_is_ridge(strength, across, down), (strength - FAINT) / (DARK - FAINT), np.float32(0))
    return _levels(255 - 255 * ink.clip(0, 1))[..., None]


def grey(picture: Pixels) -> Pixels:
    """Luma of ITU-R BT.601, as Pillow's mode L: uint8 [h, w, 1]."""
    if picture.shape[2] == 1:
        return picture
    red, green, blue = (picture[..., channel].astype(np.uint32) for channel in range(3))
    return ((red * 19595 + green * 38470 + blue * 7471 + 0x8000) >> 16).astype(np.uint8)[..., None]


def blur(picture: Pixels) -> Pixels:
    """Gaussian blur with a standard deviation of 2 pixels."""
    channels = [_smooth(picture[..., channel].astype(np.float32), BLUR) for channel in range(picture.shape[2])]
    return np.stack([_levels(channel) for channel in channels], axis=2)


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

CONTEXTS = {"sketch": 4, "grey": 0, "blur": 6, "low": 3 * REDUCTION}
"""On how many pixels on each side a pixel depends. The hole of `mask` depends on the whole picture."""


def channels_of(prepared: str, channels: int) -> int:
    """The number of channels that a preparation makes of a picture with so many."""
    return int(PREPARATIONS[prepared](np.zeros((8, 8, channels), np.uint8)).shape[2])


def _gradient(picture: Pixels) -> tuple[Plane, Plane, Plane]:
    """Magnitude, horizontal and vertical part [h, w] of the gradient of the channel in which it is the largest."""
    strength, across, down = (np.zeros(picture.shape[:2], np.float32) for _ in range(3))
    for channel in range(picture.shape[2]):
        plane: Plane = np.pad(_smooth(picture[..., channel].astype(np.float32), SMOOTHING), 1, mode="edge") / FULL
        columns = plane[:-2] + 2 * plane[1:-1] + plane[2:]
        rows = plane[:, :-2] + 2 * plane[:, 1:-1] + plane[:, 2:]
        x, y = (columns[:, 2:] - columns[:, :-2]) / 4, (rows[2:] - rows[:-2]) / 4
        magnitude = np.sqrt(x * x + y * y)
        stronger = magnitude > strength
        for best, found in ((strength, magnitude), (across, x), (down, y)):
            np.copyto(best, found, where=stronger)
    return strength, across, down


def _is_ridge(strength: Plane, across: Plane, down: Plane) -> NDArray[np.bool_]:
    """Where the gradient is not smaller than at both neighbours in its direction, of eight directions."""
    height, width = strength.shape
    framed = np.pad(strength, 1)

    def maximum(dy: int, dx: int) -> NDArray[np.bool_]:
        one = framed[1 + dy : 1 + dy + height, 1 + dx : 1 + dx + width]
        other = framed[1 - dy : 1 - dy + height, 1 - dx : 1 - dx + width]
        return (strength >= one) & (strength >= other)

    x, y = np.abs(across), np.abs(down)
    horizontal, vertical = y <= STEEP * x, x <= STEEP * y
    diagonal = np.where(across * down > 0, maximum(1, 1), maximum(1, -1))
    return np.where(horizontal, maximum(0, 1), np.where(vertical, maximum(1, 0), diagonal))


def _smooth(plane: Plane, deviation: float) -> Plane:
    """A plane float32 [h, w] after a Gaussian filter of 3 standard deviations; the border is repeated."""
    radius = int(np.ceil(3 * deviation))
    steps = np.arange(-radius, radius + 1)
    weights = np.exp(-(steps**2) / (2 * deviation**2))
    weights = (weights / weights.sum()).astype(np.float32)
    for axis in (0, 1):
        size = plane.shape[axis]
        framed = np.pad(plane, [(radius, radius) if axis == one else (0, 0) for one in (0, 1)], mode="edge")
        plane = np.zeros_like(plane)
        for place, weight in enumerate(weights):
            plane += weight * framed.take(range(place, place + size), axis)
    return plane


def _levels(values: Plane) -> Pixels:
    return np.rint(values).clip(0, 255).astype(np.uint8)
