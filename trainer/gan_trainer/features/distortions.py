"""What is done to real pictures to see whether a measure notices: six families of growing strength, and repetition.

Pictures are uint8 [n, h, w, c]; distances are in pixels of a picture with a side of 64, and grow with it.
"""

import io
import math
from collections.abc import Callable, Iterator
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch.nn.functional import conv2d, grid_sample

Images = NDArray[np.uint8]
Distort = Callable[[Images, float, np.random.Generator], Images]


def blur(images: Images, strength: float, _: np.random.Generator) -> Images:
    """Gaussian, of this deviation."""
    planes = images.astype(np.float32).transpose(0, 3, 1, 2)
    return _bytes(_smooth(planes, strength * images.shape[1] / 64, "edge").transpose(0, 2, 3, 1))


def noise(images: Images, strength: float, rng: np.random.Generator) -> Images:
    """Gaussian, of this deviation in grey levels."""
    return _bytes(images + strength * rng.standard_normal(images.shape, np.float32))


def jpeg(images: Images, strength: float, _: np.random.Generator) -> Images:
    """Written and read again at the quality 100 - strength."""
    return np.stack([_recoded(image, round(100 - strength)) for image in images])


def colour(images: Images, strength: float, _: np.random.Generator) -> Images:
    """More red and less blue by this share; grey pictures lose contrast."""
    gain = [1 + strength, 1.0, 1 - strength] if images.shape[3] == 3 else [1 - strength]
    return _bytes(images.astype(np.float32) * np.array(gain, np.float32))


def elastic(images: Images, strength: float, rng: np.random.Generator) -> Images:
    """Moved by a smooth random field of this deviation."""
    n, h, w, _ = images.shape
    fields = _smooth(rng.standard_normal((n, 2, h, w), np.float32), 4.0 * h / 64, "symmetric")
    fields *= strength * h / 64 / fields.std()
    y, x = np.meshgrid(np.arange(h, dtype=np.float32), np.arange(w, dtype=np.float32), indexing="ij")
    places = np.stack([(x + fields[:, 1]) / (w - 1), (y + fields[:, 0]) / (h - 1)], -1) * 2 - 1
    planes = torch.from_numpy(images.astype(np.float32)).permute(0, 3, 1, 2)
    moved = grid_sample(planes, torch.from_numpy(places), padding_mode="border", align_corners=True)
    return _bytes(moved.permute(0, 2, 3, 1).numpy())


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
REAL, REPEATED = "real", "repeated"  # names of sets
TIMES = 10  # that each image is repeated


def spoilt(family: str, strength: float) -> str:
    """The name of a set."""
    return f"{family} {strength:g}"


def spoilt_sets(real: Images, rng: np.random.Generator) -> Iterator[tuple[str, Images]]:
    """Real images, each distortion of them, and one in ten of them ten times, by their names, as many in each set."""
    yield REAL, real
    for family, (distort, strengths) in FAMILIES.items():
        for strength in strengths:
            yield spoilt(family, strength), distort(real, strength, rng)
    again = np.resize(np.repeat(real[: -(-len(real) // TIMES)], TIMES, axis=0), real.shape)
    yield REPEATED, noise(elastic(again, 0.5, rng), 3.0, rng)  # no two alike, as a generator's would be


def _recoded(image: Images, quality: int) -> Images:
    file = io.BytesIO()
    Image.fromarray(image if image.shape[2] == 3 else image[..., 0]).save(file, "JPEG", quality=quality)
    return np.asarray(Image.open(file)).reshape(image.shape)


def _bytes(values: NDArray[np.floating]) -> Images:
    return values.round().clip(0, 255).astype(np.uint8)


def _smooth(planes: NDArray[np.float32], deviation: float, edge: Literal["edge", "symmetric"]) -> NDArray[np.float32]:
    """Gaussian smoothing of [n, c, h, w], cut off at four deviations; `edge` is a mode of np.pad."""
    reach = math.ceil(4 * deviation)
    places = torch.arange(-reach, reach + 1).float()
    kernel = torch.exp(-0.5 * (places / deviation) ** 2)
    kernel /= kernel.sum()
    padded = np.pad(planes, ((0, 0), (0, 0), (reach, reach), (reach, reach)), edge)
    n, c, h, w = padded.shape
    rows = conv2d(torch.from_numpy(padded).reshape(n * c, 1, h, w), kernel.view(1, 1, -1, 1))
    smoothed: NDArray[np.float32] = conv2d(rows, kernel.view(1, 1, 1, -1)).numpy().reshape(planes.shape)
    return smoothed
