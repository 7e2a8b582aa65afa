"""Generator: latents (and labels) in, uint8 images out; or points, where it was trained on such."""

import math
import operator
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gan_runtime.class_labels import check_labels
from gan_runtime.devices.processors import available_cpus
from gan_runtime.errors import InputError, ModelError
from gan_runtime.latents import check_indices
from gan_runtime.manifest import GenerateManifest, ImageSize, Points, PointsManifest, read_manifest
from gan_runtime.model_file import ModelFile, read_model_file
from gan_runtime.onnx_model import OnnxModel
from gan_runtime.onnx_runtime import Providers
from gan_runtime.request import SampleRequest, pad
from gan_runtime.session import check_threads, open_session
from gan_runtime.signature import GeneratorSignature, check_task, generator_signature
from gan_runtime.threads import Workers

if TYPE_CHECKING:
    from gan_runtime.foreign import Assumptions

Images: TypeAlias = NDArray[np.uint8]
"""uint8 [n, height, width, channels]; of a file that draws points, float32 [n, coordinates]."""

BATCH_SIZE = 64  # on a GPU
MAX_BATCH_SIZE = 65536
# On a CPU each run of the session has one thread and a piece of the batch: that scales with the processors where the
# threads of one operator do not, and an image cannot depend on their number. A piece is worth a thread from so many
# output values on, and leaves the caches beyond so many.
PIECE_VALUES = 32 * 28 * 28, 256 * 28 * 28


@dataclass(frozen=True, eq=False, repr=False)
class Generator(OnnxModel):
    """A generator file, open on a device.

    >>> from gan_runtime import Generator
    >>> with Generator.load("exported/mnist.onnx") as generator:
    ...     images = generator.sample(64, seed=1)  # uint8 [64, 28, 28, 1]
    """

    manifest: GenerateManifest | PointsManifest | None
    signature: GeneratorSignature

    @classmethod
    def load(
        cls,
        path: str | Path,
        device: str = "auto",
        threads: int | None = None,
        assumptions: "Assumptions | None" = None,
        *,
        providers: Providers | None = None,
    ) -> "Generator":
        """As `gan_runtime.load`; `assumptions` say how to read a file without a manifest.

        `signature.assumed` says what else was assumed. A file whose images cannot be repeated is a ModelError.
        """
        return cls.open(read_model_file(path), device, threads, assumptions, providers=providers)

    @classmethod
    def open(
        cls,
        model: ModelFile,
        device: str = "auto",
        threads: int | None = None,
        assumptions: "Assumptions | None" = None,
        *,
        providers: Providers | None = None,
    ) -> "Generator":
        """As `load`, for a file that has been read already."""
        described, manifest = read_manifest(model), None
        check_threads(threads)
        workers = Workers(threads or available_cpus())
        if described is None:
            from gan_runtime.foreign.probe import open_foreign  # noqa: PLC0415  (files of ours do without)

            session, signature = open_foreign(model, device, workers, assumptions, providers)
        elif assumptions is not None and assumptions.given():
            raise InputError(f"{', '.join(assumptions.given())}: {model.path} has a manifest that says how it is read")
        else:
            manifest = check_task(model, described, GenerateManifest, PointsManifest)
            signature = generator_signature(model, manifest)
            session = open_session(model, device, threads=1, providers=providers)
        arguments = {"device": device, "threads": threads, "assumptions": assumptions, "providers": providers}
        return cls(replace(model, content=b""), manifest, session, workers, arguments, signature)

    @property
    def latent_dim(self) -> int:
        """Values per latent."""
        return self.signature.latents.dim

    @property
    def classes(self) -> int:
        """How many classes the labels have; 0 for an unconditional generator."""
        return self.signature.labels.classes if self.signature.labels else 0

    @property
    def class_names(self) -> tuple[str, ...]:
        """What the classes are called, in their order; empty where the file does not say."""
        return self.signature.labels.names if self.signature.labels else ()

    @property
    def size(self) -> ImageSize | Points:
        """Of one image, or what the points are that the file draws."""
        return self.signature.output

    @property
    def image_shape(self) -> tuple[int, ...]:
        """Height, width, channels; of a file that draws points, their coordinates."""
        return self.size.shape

    @property
    def points(self) -> Points | None:
        """What the points are that the file draws; None for one that draws images."""
        return self.size if isinstance(self.size, Points) else None

    @property
    def dtype(self) -> np.dtype[Any]:
        """uint8 of images, float32 of points."""
        return np.dtype(np.float32 if self.points else np.uint8)

    @property
    def trained_on(self) -> str | None:
        """The data set that it was trained on, where the manifest says so."""
        data = self.manifest.training.get("data") if self.manifest else None
        return data if isinstance(data, str) else None

    def sample(
        self, n: int, seed: int = 0, start: int = 0, labels: ArrayLike | None = None, batch_size: int | None = None
    ) -> Images:
        """Draw the images start .. start + n - 1 of `seed`, uint8 [n, height, width, channels].

        The bytes of an image do not depend on calls, batches or threads.

        Args:
            n: how many images; of none, an empty array.
            seed: 0 to 2**64 - 1.
            start: index of the first image.
            labels: numbers or names of classes, [n] or one for all; i mod classes if None.
            batch_size: images per run of the session.

        Raises:
            InputError: an argument is out of range, labels are given to an unconditional generator, or it is closed.
        """
        if n == 0:
            check_indices(seed, start, 0)
            return np.empty((0, *self.image_shape), self.dtype)
        return self.array(self.request(n, seed, start, labels, batch_size=batch_size))

    def iter_batches(
        self, n: int, seed: int = 0, start: int = 0, labels: ArrayLike | None = None, batch_size: int | None = None
    ) -> Iterator[Images]:
        """As `sample`, batch by batch: any n in constant memory."""
        return self.batches(self.request(n, seed, start, labels, batch_size=batch_size))

    def request(
        self,
        n: int,
        seed: int = 0,
        start: int = 0,
        labels: ArrayLike | None = None,
        latents: ArrayLike | None = None,
        batch_size: int | None = None,
    ) -> SampleRequest:
        """The checked request for n images, for `batches` and `array`.

        `latents` [n, latent_dim] take the place of seed and start: default labels then count from 0, as in a call.
        Errors are those of `sample`.
        """
        n, seed, start = map(operator.index, (n, seed, start))  # numpy's integers would overflow
        if n < 1:
            raise InputError(f"n {n}: must be at least 1")
        check_indices(seed, start, n)
        own_labels = None if labels is None else check_labels(labels, n, self.signature.labels, self.model.path)
        own_latents = None if latents is None else self.check_latents(latents)
        if own_latents is not None:
            if len(own_latents) != n:
                raise InputError(f"n {n}: there are {len(own_latents)} latents")
            seed = start = 0
        size = self.batch_size(batch_size)
        return SampleRequest(n, seed, start, self.signature.latents, self.classes, own_labels, own_latents, size)

    def batches(self, request: SampleRequest) -> Iterator[Images]:
        """The images of `request` in order, uint8 [at most batch_size, height, width, channels] at a time."""
        for first in range(0, request.n, request.batch_size):
            count = min(request.batch_size, request.n - first)
            batch = np.empty((count, *self.image_shape), self.dtype)
            self._draw_batch(request, first, batch)
            yield batch

    def array(self, request: SampleRequest) -> Images:
        """The images of `request` in one array, which is allocated once."""
        images = np.empty((request.n, *self.image_shape), self.dtype)
        for first in range(0, request.n, request.batch_size):
            self._draw_batch(request, first, images[first : first + request.batch_size])
        return images

    def __call__(self, latents: ArrayLike, labels: ArrayLike | None = None) -> Images:
        """Images uint8 [n, height, width, channels] of given latents, float [n, latent_dim], n at least 1.

        Labels and errors are those of `sample`.
        """
        z = self.check_latents(latents)
        return self.array(self.request(len(z), labels=labels, latents=z))

    def check_latents(self, latents: ArrayLike) -> NDArray[np.float32]:
        """`latents` as float32 [n, latent_dim], or an InputError that says what is wrong with them."""
        try:
            if np.iscomplexobj(latents):
                raise TypeError
            with np.errstate(over="ignore"):  # what overflows is not finite, and refused below
                z = np.ascontiguousarray(latents, dtype=np.float32)
        except (TypeError, ValueError):
            raise InputError("latents: not an array of real numbers") from None
        if z.ndim != 2 or z.shape[1] != self.latent_dim or not len(z):
            raise InputError(f"latents of shape {list(z.shape)}: the model takes [n, {self.latent_dim}], n at least 1")
        if not np.isfinite(z).all():
            raise InputError("latents: not all of them are finite")
        return z

    def batch_size(self, wanted: int | None = None) -> int:
        """The batch size to use: `wanted`, checked, or what keeps the device busy."""
        if wanted is not None and not 1 <= wanted <= MAX_BATCH_SIZE:
            raise InputError(f"batch size {wanted}: must be between 1 and {MAX_BATCH_SIZE}")
        if self.session.device == "cpu":
            most = self.threads * max(1, PIECE_VALUES[1] // math.prod(self.image_shape))
            return wanted or min(most, MAX_BATCH_SIZE)
        return wanted or BATCH_SIZE

    def _draw_batch(self, request: SampleRequest, first: int, into: Images) -> None:
        """Draw the images of `request` from `first` on into an array, in pieces for the threads."""
        z, y = request.latents(first, len(into)), request.labels(first, len(into))
        if self.on_cuda and request.n > request.batch_size:  # CUDA tunes itself for each shape: show it only one
            z, y = pad(z, request.batch_size), None if y is None else pad(y, request.batch_size)
        size = self._piece_size(len(z))

        def draw(first: int) -> None:
            piece = into[first : first + size]
            labels = None if y is None else y[first : first + size]
            piece[:] = self._run(z[first : first + size], labels)[: len(piece)]

        if len(z) <= size:
            draw(0)
        else:
            self.workers.map(draw, range(0, len(into), size))

    def _piece_size(self, n: int) -> int:
        if self.signature.fixed_batch:
            return self.signature.fixed_batch
        if self.session.device != "cpu":
            return n
        least, most = (max(1, values // math.prod(self.image_shape)) for values in PIECE_VALUES)
        return min(max(-(-n // self.threads), least), most)

    def _run(self, z: NDArray[np.float32], y: NDArray[np.int64] | None) -> Images:
        n, fixed = len(z), self.signature.fixed_batch
        if fixed:
            z, y = pad(z, fixed), None if y is None else pad(y, fixed)
        feeds = self.signature.feeds(z, y)
        images: Images = self.signature.read(self.run([self.signature.output_name], feeds, n)[0])
        if images.shape != (len(z), *self.image_shape):
            expected = [len(z), *self.image_shape]
            raise ModelError(
                f"{self.model.path}: gives {list(images.shape)} where {expected} was declared; export it again"
            )
        return images
