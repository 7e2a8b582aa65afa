"""Encoder: uint8 images in, the latents that a generator would draw them from out."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gan_runtime.errors import ModelError
from gan_runtime.generator import Generator
from gan_runtime.image_reader import ImageReader
from gan_runtime.manifest import EncodeManifest, ImageSize, Latents, read_manifest
from gan_runtime.model_file import ModelFile, read_model_file
from gan_runtime.signature import check_signature, check_task

LATENTS = "latents"
SUFFIX = "-encoder.onnx"
WITH_ENCODERS = "bigan and vae"  # recipes


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
        manifest = check_task(model, read_manifest(model), EncodeManifest)
        check_signature(model, manifest)
        return manifest

    @property
    def latents(self) -> Latents:
        """What it gives: how many values, and the distribution that a generator draws them from."""
        return self.manifest.latents

    @property
    def size(self) -> ImageSize:
        """Of the images that it takes."""
        return self.manifest.images

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

    def encode(self, batches: Iterable[NDArray[np.uint8]]) -> NDArray[np.float32]:
        """As a call, for images that come batch by batch."""
        (latents,) = self.read(batches, [LATENTS])
        return latents


def check_pair(encoder: ModelFile, generator: ModelFile) -> None:
    """Raise ModelError where the two were not exported together."""
    origin = Encoder.manifest_of(encoder).training.get("generator")
    if not isinstance(origin, dict) or origin.get("sha256") != generator.sha256:
        raise ModelError(
            f"{encoder.path}: was not exported together with {generator.path}; export both again with gan-export, or "
            "name the encoder that was"
        )


def encoder_path(generator: Path) -> Path:
    """Where the encoder of a generator's file is: x.onnx has x-encoder.onnx beside it."""
    return generator.with_name(f"{generator.stem}{SUFFIX}")


def open_encoder_of(generator: Generator, path: str | Path | None = None) -> Encoder:
    """The encoder that was exported with `generator`, on its device: the file at `path`, that beside it if None.

    Raises:
        ModelError: there is none, or it belongs to another generator.
        DeviceError, InputError: as `Encoder.load`.
    """
    beside = encoder_path(generator.model.path)
    if path is None and not beside.is_file():
        raise ModelError(
            f"{generator.model.path}: has no encoder beside it ({beside.name}); the recipes {WITH_ENCODERS} have one, "
            "and gan-export writes it"
        )
    model = read_model_file(path or beside)
    check_pair(model, generator.model)
    return Encoder.open(model, generator.session.device, generator.threads)
