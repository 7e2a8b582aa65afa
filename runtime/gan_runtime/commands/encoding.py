"""Encoding with a progress bar, for several commands."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from gan_runtime.encoder import Encoder
from gan_runtime.terminal.progress import progress

BATCH = 1024


def encode_images(encoder: Encoder, images: NDArray[np.uint8], *, quiet: bool = False) -> NDArray[np.float32]:
    """The latents, float32 [n, d], of images, uint8 [n, h, w, c]. Shows a progress bar if it takes long."""
    with progress("encoding", len(images), "images", quiet=quiet) as advance:

        def batches() -> Iterator[NDArray[np.uint8]]:
            for first in range(0, len(images), BATCH):
                yield images[first : first + BATCH]
                advance(len(images[first : first + BATCH]))

        return encoder.encode(batches(), len(images))
