"""Generator: latents (and labels) in, uint8 images out; or points, where it was trained on such."""

import math
import operator
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias
from unicodedata import normalize

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gan_runtime.errors import InputError, ModelError
from gan_runtime.latents import check_indices
from gan_runtime.manifest import GenerateManifest, ImageSize, Points, PointsManifest, read_manifest
from gan_runtime.model_file import ModelFile, read_model_file
from gan_runtime.request import Draw, pad
from gan_runtime.session import Session, check_threads, open_session, run_session
from gan_runtime.signature import Roles, check_task, generator_roles
from gan_runtime.threads import Workers, available_cpus

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
SHOWN_CLASSES = 20  # in a message
FINGERPRINT_TOLERANCE = 1  # grey level: what other processors and devices may differ by


@dataclass(frozen=True)
class Generator:
    """A generator file, open on a device.

    >>> from gan_runtime import Generator
    >>> images = Generator.load("exported/mnist.onnx").sample(64, seed=1)  # uint8 [64, 28, 28, 1]
    """

    model: ModelFile
    manifest: GenerateManifest | PointsManifest | None
    roles: Roles
    session: Session
    workers: Workers

    @classmethod
    def load(
        cls,
        path: str | Path,
        device: str = "auto",
        threads: int | None = None,
        assumptions: "Assumptions | None" = None,
    ) -> "Generator":
        """Open the file at `path`.

        Args:
            path: an .onnx file.
            device: "cpu", "cuda" or "auto".
            threads: all processors allowed here if None.
            assumptions: what to take for granted about a file without a manifest; `roles.assumed` tells the rest.

        Raises:
            ModelError: the file is damaged, unsafe, too new or no generator, or its images cannot be repeated.
            DeviceError: CUDA was asked for and cannot run the model.
            InputError: unknown device, a number of threads out of range, or `assumptions` that do not fit the file.
        """
        return cls.open(read_model_file(path), device, threads, assumptions)

    @classmethod
    def open(
        cls,
        model: ModelFile,
        device: str = "auto",
        threads: int | None = None,
        assumptions: "Assumptions | None" = None,
    ) -> "Generator":
        """As `load`, for a file that has been read already."""
        described = read_manifest(model)
        check_threads(threads)
        workers = Workers(threads or available_cpus())
        if described is None:
            from gan_runtime.foreign.probe import open_foreign  # noqa: PLC0415  (files of ours do without)

            session, roles = open_foreign(model, device, workers, assumptions)
            return cls(model, None, roles, session, workers)
        if assumptions is not None and assumptions.given():
            raise InputError(f"{', '.join(assumptions.given())}: {model.path} has a manifest that says how it is read")
        manifest = check_task(model, described, GenerateManifest, PointsManifest)
        roles = generator_roles(model, manifest)
        return cls(model, manifest, roles, open_session(model, device, threads=1), workers)

    @property
    def threads(self) -> int:
        """Of a batch; one run of the session has one."""
        return self.workers.threads

    @property
    def latent_dim(self) -> int:
        """Values per latent."""
        return self.roles.latents.dim

    @property
    def classes(self) -> int:
        """How many classes the labels have; 0 for an unconditional generator."""
        return self.roles.labels.classes if self.roles.labels else 0

    @property
    def class_names(self) -> tuple[str, ...]:
        """What the classes are called, in their order; empty where the file does not say."""
        return self.roles.labels.names if self.roles.labels else ()

    @property
    def size(self) -> ImageSize | Points:
        """Of one image, or what the points are that the file draws."""
        return self.roles.output

    @property
    def image_shape(self) -> tuple[int, ...]:
        """Height, width, channels; of a file that draws points, their coordinates."""
        return self.size.shape

    @property
    def points(self) -> Points | None:
        """What the points are that the file draws; None for one that draws images."""
        return self.size if isinstance(self.size, Points) else None

    def sample(
        self, n: int, seed: int = 0, start: int = 0, labels: ArrayLike | None = None, batch_size: int | None = None
    ) -> Images:
        """Draw the images start .. start + n - 1 of `seed`; the same bytes however they are cut into calls and batches.

        Args:
            n: how many images; of none, an empty array.
            seed: 0 to 2**64 - 1.
            start: index of the first image.
            labels: numbers or names of classes, [n] or one for all; i mod classes if None.
            batch_size: images per run of the session.

        Returns:
            uint8 [n, height, width, channels].

        Raises:
            InputError: an argument is out of range, or labels are given to an unconditional generator.
        """
        if n == 0:
            check_indices(seed, start, 0)
            return np.empty((0, *self.image_shape), np.float32 if self.points else np.uint8)
        return np.concatenate(list(self.iter_batches(n, seed, start, labels, batch_size)))

    def iter_batches(
        self, n: int, seed: int = 0, start: int = 0, labels: ArrayLike | None = None, batch_size: int | None = None
    ) -> Iterator[Images]:
        """As `sample`, batch by batch: any n in constant memory."""
        return self.draw(n, seed, start, labels, batch_size=batch_size).batches()

    def draw(
        self,
        n: int,
        seed: int = 0,
        start: int = 0,
        labels: ArrayLike | None = None,
        latents: ArrayLike | None = None,
        batch_size: int | None = None,
    ) -> Draw:
        """A checked request for n images.

        `latents` [n, latent_dim] take the place of seed and start: default labels then count from 0, as in a call.

        Raises:
            InputError: as `sample`.
        """
        n, seed, start = map(operator.index, (n, seed, start))  # numpy's integers would overflow
        if n < 1:
            raise InputError(f"n {n}: must be at least 1")
        check_indices(seed, start, n)
        own_labels = None if labels is None else self.check_labels(labels, n)
        own_latents = None if latents is None else self.check_latents(latents)
        if own_latents is not None:
            if len(own_latents) != n:
                raise InputError(f"n {n}: there are {len(own_latents)} latents")
            seed = start = 0
        return Draw(self, n, seed, start, own_labels, own_latents, self.batch_size(batch_size))

    def __call__(self, latents: ArrayLike, labels: ArrayLike | None = None) -> Images:
        """Images of latents of one's own, in as many batches as the device needs.

        Args:
            latents: float [n, latent_dim], n at least 1.
            labels: numbers or names of classes, [n] or one for all; i mod classes if None.

        Returns:
            uint8 [n, height, width, channels].

        Raises:
            InputError: a shape, label or value does not fit.
        """
        z = self.check_latents(latents)
        return np.concatenate(list(self.draw(len(z), labels=labels, latents=z).batches()))

    def batch(self, z: NDArray[np.float32], y: NDArray[np.int64] | None) -> Images:
        """The images of one batch, cut into pieces for the threads; latents and labels are those of a `Draw`."""
        size = self._piece_size(len(z))
        pieces = [(z[i : i + size], None if y is None else y[i : i + size]) for i in range(0, len(z), size)]
        if len(pieces) == 1:
            return self._run(*pieces[0])
        return np.concatenate(self.workers.map(self._run, *zip(*pieces, strict=True)))

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

    def check_labels(self, labels: ArrayLike, n: int) -> NDArray[np.int64]:
        """`labels`, numbers or names, as int64 [n], or an InputError that says what is wrong with them."""
        if not self.classes:
            raise self._unconditional()
        y = np.asarray(labels)
        if isinstance(labels, list | tuple) and 0 < sum(isinstance(label, str) for label in labels) < len(labels):
            raise InputError("labels: numbers and names are mixed, and a number may be a name; give one or the other")
        if y.dtype.kind == "U":
            y = np.array([self.class_called(name) for name in y.reshape(-1).tolist()], np.int64).reshape(y.shape)
        if y.dtype.kind not in "iu" or y.shape not in ((), (n,)):
            raise InputError(f"labels: expected {n} integers or names of classes, or one for all")
        if y.min() < 0 or y.max() >= self.classes:
            raise self._no_class(int(y.min() if y.min() < 0 else y.max()))
        return np.broadcast_to(y.astype(np.int64), (n,))

    def class_called(self, name: str) -> int:
        """The number of the class with this name; where none is called so, a number stands for itself.

        Raises:
            InputError: there is no such class; names those that are spelt alike.
        """
        if not self.classes:
            raise self._unconditional()
        for form in (str, partial(normalize, "NFC")):  # macOS decomposes accented letters
            names = [form(known) for known in self.class_names]
            if form(name) in names:
                return names.index(form(name))
        if re.fullmatch(r"-?[0-9]+", name):
            number = int(name)
            if 0 <= number < self.classes:
                return number
            raise self._no_class(number)
        if not self.class_names:
            raise InputError(f"label {name!r}: the classes of {self.model.path} have no names; give a number")
        from difflib import get_close_matches  # noqa: PLC0415

        alike = get_close_matches(name, self.class_names, cutoff=0.5) or self.class_names[:SHOWN_CLASSES]
        more = "" if len(alike) == self.classes else ", … (gan-info lists all)"
        raise InputError(f"label {name!r}: no class is called so; there are {', '.join(map(repr, alike))}{more}")

    def batch_size(self, wanted: int | None = None) -> int:
        """The batch size to use: `wanted`, checked, or what keeps the device busy."""
        if wanted is not None and not 1 <= wanted <= MAX_BATCH_SIZE:
            raise InputError(f"batch size {wanted}: must be between 1 and {MAX_BATCH_SIZE}")
        if self.session.device == "cpu":
            most = self.threads * max(1, PIECE_VALUES[1] // math.prod(self.image_shape))
            return wanted or min(most, MAX_BATCH_SIZE)
        return wanted or BATCH_SIZE

    def check_fingerprint(self) -> int | None:
        """Largest difference in grey levels to what the exporting host saw; None where the file has no fingerprint.

        Up to `FINGERPRINT_TOLERANCE` is rounding; more means a damaged file or a device that computes something else.
        """
        if not (self.manifest and self.manifest.fingerprint):
            return None
        fingerprint = self.manifest.fingerprint
        return fingerprint.difference(self.levels(self.sample(fingerprint.count, fingerprint.seed)))

    def levels(self, images: NDArray[Any]) -> NDArray[np.uint8]:
        """What a fingerprint is taken of: the grey levels of images, or as many steps of points."""
        return self.points.levels(images) if self.points else images

    def _piece_size(self, n: int) -> int:
        if self.roles.fixed_batch:
            return self.roles.fixed_batch
        if self.session.device != "cpu":
            return n
        least, most = (max(1, values // math.prod(self.image_shape)) for values in PIECE_VALUES)
        return min(max(-(-n // self.threads), least), most)

    def _run(self, z: NDArray[np.float32], y: NDArray[np.int64] | None) -> Images:
        n, fixed = len(z), self.roles.fixed_batch
        if fixed:
            z, y = pad(z, fixed), None if y is None else pad(y, fixed)
        (output,) = run_session(self.model, self.session, [self.roles.output_name], self.roles.feeds(z, y), n)
        images: Images = self.roles.read(output)
        if images.shape != (len(z), *self.image_shape):
            expected = [len(z), *self.image_shape]
            raise ModelError(
                f"{self.model.path}: gives {list(images.shape)} where {expected} was declared; export it again"
            )
        return images[:n]

    def _no_class(self, number: int) -> InputError:
        return InputError(f"label {number}: the model has the classes 0 to {self.classes - 1}")

    def _unconditional(self) -> InputError:
        return InputError(f"label: {self.model.path} is unconditional and takes none")
