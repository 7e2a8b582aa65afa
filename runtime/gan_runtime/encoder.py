"""Encoder: uint8 images in, the latents that a generator would draw them from out."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gan_runtime.image_reader import ImageReader
from gan_runtime.manifest import EncodeManifest, Latents
from gan_runtime.model_file import ModelFile
from gan_runtime.signature import manifest_as

LATENTS = "latents"
LEAST = 8  # images that are worth a thread


@dataclass(frozen=True, eq=False, repr=False)
class Encoder(ImageReader):
    """An encoder file, open on a device.

    >>> from gan_runtime import Encoder
    >>> latents = Encoder.load("exported/mnist-vae-encoder.onnx")(images)  # float32 [n, 20]
    """

    manifest: EncodeManifest

    @classmethod
    def manifest_of(cls, model: ModelFile) -> EncodeManifest:
        """The manifest of an encoder. Raises ModelError where `model` is none, or contradicts its manifest."""
        return manifest_as(model, EncodeManifest)

    @property
    def latents(self) -> Latents:
        """What it gives: how many values, and the distribution that a generator draws them from."""
        return self.manifest.latents

    def __call__(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Latents of images, the same values however they are cut into calls and threads.

        Args:
            images: uint8 [n, height, width, channels], n at least 1.

        Returns:
            float32 [n, d]. A VAE's encoder gives the means of q(z|x) (Kingma and Welling 2014).

        Raises:
            InputError: they are no such images, or of another size than the encoder takes; or it is closed.
            DeviceError: the device fails.
            ModelError: a latent is not finite.
        """
        return self.encode([images])

    def encode(self, batches: Iterable[NDArray[np.uint8]], n: int | None = None) -> NDArray[np.float32]:
        """As a call, for `n` images that come batch by batch; `n` may be None if all fit into memory."""
        (latents,) = self.read(batches, [LATENTS], n)
        return latents

    def piece_of(self, batch: NDArray[np.uint8]) -> int:
        """As of the base class; the threads share a small batch."""
        usual = super().piece_of(batch)
        return min(usual, max(-(-len(batch) // self.threads), LEAST)) if self.on_cpu else usual
