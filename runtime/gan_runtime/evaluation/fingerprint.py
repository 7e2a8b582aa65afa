"""Compare what a model gives on this host with the fingerprint in its file, from the exporting host."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gan_runtime.generator import Generator
from gan_runtime.image_to_image.model import ImageToImage
from gan_runtime.latents import draw_latents
from gan_runtime.manifest import Fingerprint, ImageAxes, ImageSize, Points

PIXELS = 3072  # 4 KB of base64
ANY_HEIGHT, ANY_WIDTH = 67, 65  # of the inputs of a network that takes any size: multiples of no stride
BLOCKS = 5  # kinds of inputs: squares with a side of 1, 2, 4, 8 or 16 pixels


def check_fingerprint(model: Generator | ImageToImage) -> int | None:
    """The largest difference in grey levels to what the exporting host saw; None if the file has no fingerprint.

    Up to the fingerprint's `tolerance` is rounding. More means that the file is damaged or the device computes other
    values.
    """
    fingerprint = model.manifest.fingerprint if model.manifest else None
    if fingerprint is None:
        return None
    if isinstance(model, ImageToImage):
        return difference(fingerprint, model(source_images(model.manifest.source, fingerprint.count, fingerprint.seed)))
    return difference(fingerprint, first_levels(model, fingerprint.count, fingerprint.seed))


def first_levels(generator: Generator, count: int, seed: int) -> NDArray[np.uint8]:
    """The levels of the latents 0 to `count` - 1 of `seed`, with the truncation and the noise in the file."""
    latents = generator.signature.latents
    drawn = generator(draw_latents(seed, 0, count, latents.dim, latents.distribution))
    return levels(generator.size, drawn)


def source_images(axes: ImageAxes, count: int, seed: int = 0) -> NDArray[np.uint8]:
    """Images made of Philox's random words (`latents.py`), for networks that take images of `axes`.

    Image i has squares of one colour with a side of 1, 2, 4, 8 or 16 pixels, in turn.

    Returns:
        uint8 [count, h, w, c]; axes of any length have 67 rows, 65 columns, and 3 channels.
    """
    shape = axes.height or ANY_HEIGHT, axes.width or ANY_WIDTH, axes.channels or 3
    values = count * math.prod(shape)
    words = np.random.Philox(key=seed).random_raw(-(-values // 8)).astype("<u8")
    noise = words.view(np.uint8)[:values].reshape(count, *shape)
    sides = [2 ** (i % BLOCKS) for i in range(count)]
    rows, columns = (np.arange(length) for length in shape[:2])
    return np.stack([image[rows // side][:, columns // side] for image, side in zip(noise, sides, strict=True)])


def difference(fingerprint: Fingerprint, images: NDArray[np.uint8]) -> int:
    """The largest difference in grey levels to `images`, uint8 [count, h, w, c]; 255 if they are too few values."""
    here = spread(images, len(fingerprint.pixels)).astype(np.int16)
    if len(here) != len(fingerprint.pixels):
        return 255
    return int(np.abs(here - np.frombuffer(fingerprint.pixels, np.uint8)).max())


def levels(output: ImageSize | Points, values: NDArray[Any]) -> NDArray[np.uint8]:
    """The values of a fingerprint: images as they are, the coordinates of points quantised to 0 to 255."""
    if isinstance(output, ImageSize):
        return values
    quantised: NDArray[np.uint8] = np.rint(values / output.extent * 127.5 + 127.5).clip(0, 255).astype(np.uint8)
    return quantised


def spread(images: NDArray[np.uint8], count: int) -> NDArray[np.uint8]:
    """At most `count` values of `images`, at even distances over the flattened array, the first and last included."""
    flat = images.reshape(-1)
    return flat[np.linspace(0, flat.size - 1, min(count, flat.size)).astype(np.int64)]
