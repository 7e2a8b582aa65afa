"""Encoder: uint8 images in, the latents that a generator would draw them from out."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gan_runtime.errors import ModelError
from gan_runtime.generator import Generator
from gan_runtime.manifest import EncodeManifest, ImageSize, Latents, read_manifest
from gan_runtime.model_file import ModelFile, read_model_file
from gan_runtime.models import EXPORTED, find_model, newest_first
from gan_runtime.onnx_model import ImageReader
from gan_runtime.session import check_threads, open_session
from gan_runtime.signature import check_signature, check_task
from gan_runtime.threads import Workers, available_cpus

LATENTS = "latents"
SUFFIX = "-encoder.onnx"
WITH_ENCODERS = "bigan and vae"  # recipes


@dataclass(frozen=True)
class Encoder(ImageReader):
    """An encoder file, open on a device.

    >>> from gan_runtime import Encoder
    >>> latents = Encoder.load("exported/mnist-vae-encoder.onnx")(images)  # float32 [n, 20]
    """

    size: ImageSize
    manifest: EncodeManifest

    @property
    def latents(self) -> Latents:
        """The latents that it gives."""
        return self.manifest.latents

    @classmethod
    def load(cls, path: str | Path, device: str = "auto", threads: int | None = None) -> "Encoder":
        """Open the file at `path` on "cpu", "cuda" or "auto"; `threads` None takes all processors allowed here.

        Raises:
            ModelError: the file is damaged, unsafe, too new or no encoder.
            DeviceError: CUDA was asked for and cannot run the model.
            InputError: unknown device, or a number of threads out of range.
        """
        return cls.open(read_model_file(path), device, threads)

    @classmethod
    def open(cls, model: ModelFile, device: str = "auto", threads: int | None = None) -> "Encoder":
        """As `load`, for a file that has been read already."""
        manifest = encoder_manifest(model)
        check_threads(threads)
        session = open_session(model, device, threads=1)
        workers = Workers(threads or available_cpus())
        return cls(model, session, manifest.images, workers, manifest)

    def __call__(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Latents of images, the same values however they are cut into calls and threads.

        Args:
            images: uint8 [n, height, width, channels], n at least 1.

        Returns:
            float32 [n, d]. A VAE's encoder gives the means of q(z|x) (Kingma and Welling 2014).

        Raises:
            InputError: they are no such images, or of another size than the encoder takes.
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
    origin = encoder_manifest(encoder).training.get("generator")
    if not isinstance(origin, dict) or origin.get("sha256") != generator.sha256:
        raise ModelError(
            f"{encoder.path}: was not exported together with {generator.path}; export both again with gan-export, or "
            "name the encoder that was"
        )


def encoder_manifest(model: ModelFile) -> EncodeManifest:
    """The manifest of an encoder. Raises ModelError where `model` is none, or contradicts its manifest."""
    manifest = check_task(model, read_manifest(model), EncodeManifest)
    check_signature(model, manifest)
    return manifest


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


def find_encoder(name: str | None, folder: Path = Path(EXPORTED)) -> tuple[ModelFile, list[str]]:
    """The encoder called `name`: its own file, or that of its generator; the newest one in `folder` if None.

    Returns:
        The file, and remarks: which newer ones were passed over.

    Raises:
        ModelError: there is none, or the one beside a generator belongs to another.
    """
    if name is None:
        return _newest_encoder(folder)
    path = find_model(name)
    beside = encoder_path(path)
    if not beside.is_file():
        return read_model_file(path), []
    encoder = read_model_file(beside)
    check_pair(encoder, read_model_file(path))
    return encoder, []


def _newest_encoder(folder: Path) -> tuple[ModelFile, list[str]]:
    remarks: list[str] = []
    for path in newest_first(folder, f"*{SUFFIX}"):
        try:
            model = read_model_file(path)
            encoder_manifest(model)
        except ModelError as error:
            remarks.append(f"passed over: {error}")
        else:
            return model, remarks
    raise ModelError(f"{folder}: has no encoder (*{SUFFIX}); export a run of {WITH_ENCODERS}, or name one with --model")
