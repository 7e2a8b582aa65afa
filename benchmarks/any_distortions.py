"""What is done to real pictures to see whether a measure notices: six families of growing strength, and sets of images.

Pictures are uint8 [n, h, w, c]; distances are in pixels of a picture with a side of 64, and grow with it.
"""

import io
from collections.abc import Callable
from functools import partial

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import gaussian_filter, map_coordinates

Images = NDArray[np.uint8]
Distort = Callable[[Images, float, np.random.Generator], Images]


def blur(images: Images, strength: float, _: np.random.Generator) -> Images:
    """Gaussian, of this deviation."""
    deviation = strength * images.shape[1] / 64
    return _bytes(gaussian_filter(images.astype(np.float32), (0, deviation, deviation, 0), mode="nearest"))


def noise(images: Images, strength: float, rng: np.random.Generator) -> Images:
    """Gaussian, of this deviation in grey levels."""
    return _bytes(images + strength * rng.standard_normal(images.shape, np.float32))


def jpeg(images: Images, strength: float, _: np.random.Generator) -> Images:
    """Written and read again at the quality 100 - strength."""
    return np.stack([_recoded(image, round(100 - strength)) for image in images])


def colour(images: Images, strength: float, _: np.random.Generator) -> Images:
    """More red and less blue by this share; grey pictures lose contrast."""
    gain = [1 + strength, 1.0, 1 - strength] if images.shape[3] == 3 else [1 - strength]
    return _bytes(images * np.float32(gain))


def elastic(images: Images, strength: float, rng: np.random.Generator) -> Images:
    """Moved by a smooth random field of this deviation."""
    n, h, w, c = images.shape
    smooth = 4.0 * h / 64
    fields = gaussian_filter(rng.standard_normal((n, 2, h, w), np.float32), (0, 0, smooth, smooth))
    fields *= strength * h / 64 / fields.std()
    y, x = np.meshgrid(np.arange(h), np.arange(w), indexing="ij")
    moved = np.empty_like(images)
    for image, (dy, dx), target in zip(images, fields, moved, strict=True):
        for channel in range(c):
            target[..., channel] = _bytes(
                map_coordinates(image[..., channel].astype(np.float32), [y + dy, x + dx], order=1, mode="nearest")
            )
    return moved


def occlusion(images: Images, strength: float, rng: np.random.Generator) -> Images:
    """A grey square in a random place, so wide as a share of the side."""
    (n, h, w, _), side = images.shape, max(1, round(strength * images.shape[1]))
    hidden = images.copy()
    for image, y, x in zip(hidden, rng.integers(0, h - side + 1, n), rng.integers(0, w - side + 1, n), strict=True):
        image[y : y + side, x : x + side] = 128
    return hidden


FAMILIES: dict[str, tuple[Distort, tuple[float, ...]]] = {
    "blur": (blur, (0.75, 1.5, 3.0, 6.0)),
    "noise": (noise, (5.0, 10.0, 20.0, 40.0)),
    "jpeg": (jpeg, (15.0, 50.0, 80.0, 92.0)),
    "colour": (colour, (0.05, 0.1, 0.2, 0.4)),
    "elastic": (elastic, (0.5, 1.0, 2.0, 4.0)),
    "occlusion": (occlusion, (0.1, 0.2, 0.3, 0.4)),
}
MEDIUM = 2  # a medium distortion is between this strength and the next
N = 1000  # images of every set


def shifted(images: Images, pixels: int) -> Images:
    """Moved to the right and down; what comes in is the edge again."""
    padded = np.pad(images, ((0, 0), (pixels, 0), (pixels, 0), (0, 0)), "edge")
    return padded[:, : images.shape[1], : images.shape[2]]


def thicker(images: Images, share: float) -> Images:
    """Strokes grow by this share of a pixel to each side: a grey dilation, faded in."""
    padded = np.pad(images, ((0, 0), (1, 1), (1, 1), (0, 0)), "edge").astype(np.float32)
    h, w = images.shape[1:3]
    largest = np.max([padded[:, y : y + h, x : x + w] for y in range(3) for x in range(3)], axis=0)
    return _bytes(images * (1 - share) + largest * share)


Make = Callable[[Images, NDArray[np.int64], Images, np.random.Generator], Images]


def competitors() -> dict[str, Make]:
    """Sets that differ little from real ones, each in another way, as functions of real images, their classes,
    generated images and chance. They return N images; there have to be several times as many real ones.
    """
    sets: dict[str, Make] = {}
    for share in (0.1, 0.25, 0.5, 1.0):
        sets[f"{share:.0%} generated"] = partial(_mixed, share)
    for count in (1, 2, 4):
        sets[f"{count} classes missing"] = partial(_without, count)
    for share in (0.3, 0.6):
        sets[f"one class in {share:.0%}"] = partial(_unbalanced, share)
    for share in (0.2, 0.05):
        sets[f"{share:.0%} of the images, repeated"] = partial(_repeated, share)
    weak = {"blur": (1.0, 2.0), "noise": (10.0, 25.0), "jpeg": (60.0, 85.0), "elastic": (1.5, 3.0)}
    weak |= {"occlusion": (0.15,), "colour": (0.15,)}
    for name, strengths in weak.items():
        for strength in strengths:
            sets[f"{name} {strength:g}"] = partial(_distorted, FAMILIES[name][0], strength)
    sets |= {"shifted by 1": partial(_shifted, 1), "shifted by 2": partial(_shifted, 2)}
    sets |= {"a little thicker": partial(_thicker, 0.3), "thicker": partial(_thicker, 0.7)}
    return sets


def _mixed(share: float, real: Images, _: NDArray[np.int64], fake: Images, __: np.random.Generator) -> Images:
    count = round(share * N)
    return np.concatenate([fake[:count], real[: N - count]])


def _without(count: int, real: Images, labels: NDArray[np.int64], _: Images, __: np.random.Generator) -> Images:
    return real[labels >= count][:N]


def _unbalanced(share: float, real: Images, labels: NDArray[np.int64], _: Images, __: np.random.Generator) -> Images:
    count = round(share * N)
    return np.concatenate([real[labels == 3][:count], real[labels != 3][: N - count]])


def _repeated(share: float, real: Images, _: NDArray[np.int64], __: Images, ___: np.random.Generator) -> Images:
    return np.resize(real[: round(share * N)], (N, *real.shape[1:]))


def _distorted(
    distort: Distort, strength: float, real: Images, _: NDArray[np.int64], __: Images, rng: np.random.Generator
) -> Images:
    return distort(real[:N], strength, rng)


def _shifted(pixels: int, real: Images, _: NDArray[np.int64], __: Images, ___: np.random.Generator) -> Images:
    return shifted(real[:N], pixels)


def _thicker(share: float, real: Images, _: NDArray[np.int64], __: Images, ___: np.random.Generator) -> Images:
    return thicker(real[:N], share)


def _recoded(image: Images, quality: int) -> Images:
    file = io.BytesIO()
    Image.fromarray(image if image.shape[2] == 3 else image[..., 0]).save(file, "JPEG", quality=quality)
    return np.asarray(Image.open(file)).reshape(image.shape)


def _bytes(values: NDArray[np.floating]) -> Images:
    return values.round().clip(0, 255).astype(np.uint8)
