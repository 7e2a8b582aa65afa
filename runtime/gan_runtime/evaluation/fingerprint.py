"""Compare what a generator gives on this host with the fingerprint in its file, from the exporting host."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gan_runtime.generator import Generator
from gan_runtime.manifest import Fingerprint, ImageSize, Points

PIXELS = 3072  # 4 KB of base64
TOLERANCE = 1  # grey level: rounding of other processors and devices


def check_fingerprint(generator: Generator) -> int | None:
    """The largest difference in grey levels to what the exporting host saw; None if the file has no fingerprint.

    Up to `TOLERANCE` is rounding. More means that the file is damaged or the device computes other values.
    """
    fingerprint = generator.manifest.fingerprint if generator.manifest else None
    if fingerprint is None:
        return None
    drawn = generator.sample(fingerprint.count, fingerprint.seed)
    return difference(fingerprint, levels(generator.size, drawn))


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
