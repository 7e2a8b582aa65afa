"""Degradations of real photos, in the ranges of the first order of Real-ESRGAN (Wang et al. 2021, section 3.1).

Blur, resizing, noise and JPEG compression follow each other in a random order, each with a random strength, as in
BSRGAN (Zhang et al. 2021).
"""

import io
import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Pixels = NDArray[np.uint8]  # [h, w, 1 or 3]

SIGMAS = 0.2, 3.0  # pixels; deviations of the Gaussian blur
LARGEST_RADIUS = 10  # pixels of its kernel
ISOTROPIC = 0.65  # share of blurs that are the same in all directions
SIZES = 0.15, 1.5  # factors of the sides
SMALLER, KEPT = 0.7, 0.1  # shares of factors below 1, and of 1
NOISE = 1.0, 30.0  # levels; deviations of the Gaussian noise
POISSON = 0.05, 3.0  # strengths of the noise of counting photons
GAUSSIAN, GREY = 0.5, 0.4  # shares of Gaussian noise, and of noise that is the same in all channels
QUALITIES = 30, 95  # of JPEG
FILTERS = Image.Resampling.BOX, Image.Resampling.BILINEAR, Image.Resampling.BICUBIC


def degrade(image: Pixels, size: tuple[int, int], random: np.random.Generator) -> Pixels:
    """A picture uint8 [h, w, c] as a degraded one of this height and width; a function of the random numbers."""
    for index in random.permutation(len(STEPS)):
        image = STEPS[index](image, random)
    return _resized(image, size, FILTERS[random.integers(len(FILTERS))])


def blur(image: Pixels, random: np.random.Generator) -> Pixels:
    """Convolve with a Gaussian of random deviations along two random, perpendicular axes."""
    across, along = random.uniform(*SIGMAS, 2)
    angle, alike = random.uniform(0, math.pi), random.random() < ISOTROPIC
    kernel = gaussian(across, across if alike else along, angle)
    radius = len(kernel) // 2
    padded = np.pad(image.astype(np.float32), ((radius, radius), (radius, radius), (0, 0)), "reflect")
    spectrum = np.fft.rfft2(padded, axes=(0, 1)) * np.fft.rfft2(kernel, padded.shape[:2])[..., None]
    blurred = np.fft.irfft2(spectrum, padded.shape[:2], axes=(0, 1))
    return _levels(blurred[2 * radius :, 2 * radius :])


def gaussian(across: float, along: float, angle: float) -> NDArray[np.float64]:
    """A kernel [k, k] with sum 1, of these deviations in pixels along axes that are turned by `angle`."""
    radius = min(math.ceil(3 * max(across, along)), LARGEST_RADIUS)
    y, x = np.mgrid[-radius : radius + 1, -radius : radius + 1]
    u, v = x * math.cos(angle) + y * math.sin(angle), y * math.cos(angle) - x * math.sin(angle)
    kernel = np.exp(-0.5 * ((u / across) ** 2 + (v / along) ** 2))
    return np.asarray(kernel / kernel.sum())


def resize(image: Pixels, random: np.random.Generator) -> Pixels:
    """Make the picture smaller, mostly, or larger."""
    kind, low, high = random.random(), *SIZES
    factor = random.uniform(low, 1) if kind < SMALLER else 1.0 if kind < SMALLER + KEPT else random.uniform(1, high)
    chosen = FILTERS[random.integers(len(FILTERS))]
    height, width = (max(1, round(side * factor)) for side in image.shape[:2])
    return _resized(image, (height, width), chosen)


def add_noise(image: Pixels, random: np.random.Generator) -> Pixels:
    """Add Gaussian noise, or Poisson noise, which is stronger where the picture is brighter."""
    gaussian_noise, grey = random.random() < GAUSSIAN, random.random() < GREY
    shape = (*image.shape[:2], 1) if grey else image.shape
    if gaussian_noise:
        return _levels(image + random.normal(0, random.uniform(*NOISE), shape))
    light = image.mean(2, keepdims=True) if grey else image.astype(np.float64)
    return _levels(image + random.uniform(*POISSON) * (random.poisson(light) - light))


def compress(image: Pixels, random: np.random.Generator) -> Pixels:
    """Write and read the picture as JPEG."""
    file = io.BytesIO()
    _picture(image).save(file, "JPEG", quality=int(random.integers(QUALITIES[0], QUALITIES[1] + 1)))
    return np.asarray(Image.open(file)).reshape(image.shape)


STEPS: tuple[Callable[[Pixels, np.random.Generator], Pixels], ...] = (blur, resize, add_noise, compress)


def _resized(image: Pixels, size: tuple[int, int], chosen: Image.Resampling) -> Pixels:
    return np.asarray(_picture(image).resize(size[::-1], chosen)).reshape(*size, image.shape[2])


def _picture(image: Pixels) -> Image.Image:
    return Image.fromarray(np.ascontiguousarray(image[..., 0] if image.shape[2] == 1 else image))


def _levels(values: NDArray[np.float64]) -> Pixels:
    return np.asarray(np.rint(values).clip(0, 255), np.uint8)
