"""Encode images in batches, with a progress bar."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from gan_runtime.encoder import Encoder
from gan_runtime.image_reader import ImageReader
from gan_runtime.terminal.progress import progress

PIECES = 8  # runs of a thread per batch: threads wait for the last runs of a batch


def batch_size(reader: ImageReader, values: int) -> int:
    """Images of `values` values each that keep all threads of a model busy."""
    return PIECES * reader.threads * reader.piece_size(values)


def encode_images(encoder: Encoder, images: NDArray[np.uint8], *, quiet: bool = False) -> NDArray[np.float32]:
    """The latents, float32 [n, d], of images, uint8 [n, h, w, c]. Shows a progress bar if it takes long."""
    size = batch_size(encoder, images[:1].size)
    with progress("encoding", len(images), "images", quiet=quiet) as advance:

        def batches() -> Iterator[NDArray[np.uint8]]:
            for first in range(0, len(images), size):
                yield images[first : first + size]
                advance(len(images[first : first + size]))

        return encoder.encode(batches(), len(images))
