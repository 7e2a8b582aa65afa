"""Encoder: uint8 images in, the latents that a generator would draw them from out."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from gan_runtime.cpus import available_cpus
from gan_runtime.errors import DeviceError, InputError, ModelError
from gan_runtime.generator import Generator
from gan_runtime.manifest import ImageSize, Latents, Manifest, read_manifest
from gan_runtime.model_file import FLOAT, UINT8, ModelFile, read_model_file
from gan_runtime.models import EXPORTED, find_model
from gan_runtime.progress import progress
from gan_runtime.session import Session, check_threads, one_line, open_session

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor

TASK = "encode"
IMAGES, LATENTS = "images", "latents"
SUFFIX = "-encoder.onnx"
PIECE = 64  # images of one run on a CPU, each on one thread: latents cannot depend on the number of threads
BATCH = 1024
WITH_ENCODERS = "bigan and vae"  # recipes


@dataclass(frozen=True)
class Encoder:
    """An encoder file, open on a device.

    >>> from gan_runtime import Encoder
    >>> latents = Encoder.load("exported/mnist-vae-encoder.onnx")(images)  # float32 [n, 20]
    """

    model: ModelFile
    manifest: Manifest
    session: Session
    size: ImageSize
    latents: Latents
    pool: "ThreadPoolExecutor"

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
        from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415

        manifest = encoder_manifest(model)
        assert manifest.images
        assert manifest.codes
        check_threads(threads)
        session = open_session(model, device, threads=1)
        pool = ThreadPoolExecutor(threads or available_cpus())
        return cls(model, manifest, session, manifest.images, manifest.codes, pool)

    def __call__(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Latents of images, the same values however they are cut into calls and threads.

        Args:
            images: uint8 [n, height, width, channels], n at least 1.

        Returns:
            float32 [n, d]. A VAE's encoder gives the means of q(z|x) (Kingma and Welling 2014).

        Raises:
            InputError: they are no such images, or of another size than the encoder takes.
            DeviceError: the device fails.
        """
        return self.encode([images])

    def encode(self, batches: Iterable[NDArray[np.uint8]]) -> NDArray[np.float32]:
        """As a call, for images that come batch by batch."""
        pieces = [piece for batch in batches for piece in self.pool.map(self._run, self._cut(batch))]
        if not pieces:
            raise InputError("there are no images to encode")
        return np.concatenate(pieces)

    def encode_with_progress(self, images: NDArray[np.uint8], *, quiet: bool = False) -> NDArray[np.float32]:
        """As a call, with a progress bar where it takes long."""
        with progress("encoding", len(images), "images", quiet=quiet) as advance:

            def batches() -> Iterator[NDArray[np.uint8]]:
                for first in range(0, len(images), BATCH):
                    yield images[first : first + BATCH]
                    advance(len(images[first : first + BATCH]))

            return self.encode(batches())

    def check_belongs(self, generator: Generator) -> None:
        """Raise ModelError where `generator` is not the one that this encoder was trained and exported with."""
        known = self.manifest.training.get("generator", {}).get("sha256")
        if known != generator.model.sha256:
            raise ModelError(
                f"{self.model.path}: was not exported together with {generator.model.path}; export both again with "
                "gan-export, or name the right one with --encoder"
            )

    def _cut(self, batch: NDArray[np.uint8]) -> Iterator[NDArray[np.uint8]]:
        shape = (self.size.height, self.size.width, self.size.channels)
        if batch.dtype != np.uint8 or batch.ndim != 4 or batch.shape[1:] != shape:
            raise InputError(f"images {batch.dtype} {list(batch.shape)}: {self.model.path} takes uint8 {['n', *shape]}")
        for first in range(0, len(batch), PIECE):
            yield batch[first : first + PIECE]

    def _run(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        try:
            (latents,) = self.session.onnx.run([LATENTS], {IMAGES: images})
        except Exception as error:  # ONNX Runtime derives straight from Exception
            reason = one_line(str(error))
            raise DeviceError(f"{self.model.path}: failed on {self.session.device}: {reason}") from None
        return np.asarray(latents, np.float32)


def encoder_manifest(model: ModelFile) -> Manifest:
    """The manifest of an encoder. Raises ModelError where `model` is none, or contradicts its manifest."""
    manifest = read_manifest(model)
    if manifest is None or manifest.task != TASK:
        task = f"made for the task {manifest.task!r}, not {TASK!r}" if manifest else "has no manifest"
        raise ModelError(f"{model.path}: {task}; name an encoder, as gan-export makes them of {WITH_ENCODERS}")
    size, codes = manifest.images, manifest.codes
    if size and codes:
        inputs = [(port.name, port.element, port.shape[1:]) for port in model.inputs]
        outputs = [(port.name, port.element, port.shape[1:]) for port in model.outputs]
        expected = (IMAGES, UINT8, (size.height, size.width, size.channels)), (LATENTS, FLOAT, (codes.dim,))
        if (inputs, outputs) == ([expected[0]], [expected[1]]):
            return manifest
    raise ModelError(f"{model.path}: its graph and its manifest do not agree; export it again")


def encoder_path(generator: Path) -> Path:
    """Where the encoder of a generator's file is: x.onnx has x-encoder.onnx beside it."""
    return generator.with_name(f"{generator.stem}{SUFFIX}")


def open_encoder_of(generator: Generator, path: str | Path | None, device: str, threads: int | None = None) -> Encoder:
    """The encoder that was exported with `generator`: the file at `path`, beside the generator's if None.

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
    encoder = Encoder.load(path or beside, device, threads)
    encoder.check_belongs(generator)
    return encoder


def find_encoder(name: str | None, folder: Path = Path(EXPORTED)) -> ModelFile:
    """The encoder called `name`: its own file, or that of its generator; the newest one in `folder` if None.

    Raises:
        ModelError: there is none.
    """
    if name is None:
        found = sorted(folder.glob(f"*{SUFFIX}"), key=lambda path: path.stat().st_mtime_ns)
        if not found:
            raise ModelError(
                f"{folder}: has no encoder (*{SUFFIX}); export a run of {WITH_ENCODERS}, or name one with --model"
            )
        return read_model_file(found[-1])
    path = find_model(name)
    beside = encoder_path(path)
    return read_model_file(beside if beside.is_file() else path)
