"""Generator: latents (and labels) in, uint8 images out; or points, where it was trained on such."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gan_runtime.devices.processors import available_cpus
from gan_runtime.drawing import Drawing, Images, Request
from gan_runtime.errors import InputError
from gan_runtime.inputs import GeneratorInputs
from gan_runtime.latents import check_indices
from gan_runtime.manifest import GenerateManifest, PointsManifest, Styles, read_manifest
from gan_runtime.model_file import ModelFile, read_model_file
from gan_runtime.models import mapping_path, synthesis_path
from gan_runtime.onnx_model import OnnxModel
from gan_runtime.onnx_runtime import Providers
from gan_runtime.request import SampleRequest
from gan_runtime.session import check_threads, open_session
from gan_runtime.signature import GeneratorSignature, check_task, generator_signature
from gan_runtime.threads import Workers

if TYPE_CHECKING:
    from gan_runtime.foreign import Assumptions
    from gan_runtime.parts import Synthesis

P = TypeVar("P", bound=OnnxModel)


@dataclass(frozen=True, eq=False, repr=False)
class Generator(Drawing):
    """A generator file, open on a device.

    >>> from gan_runtime import Generator
    >>> with Generator.load("exported/mnist.onnx") as generator:
    ...     images = generator.sample(64, seed=1)  # uint8 [64, 28, 28, 1]
    """

    manifest: GenerateManifest | PointsManifest | None
    signature: GeneratorSignature
    parts: dict[type[OnnxModel], OnnxModel] = field(default_factory=dict)
    """The parts that are open: a `Mapping` and a `Synthesis` (`gan_runtime.parts`)."""

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
    def style_space(self) -> Styles | None:
        """How many styles an image has and how many values a style; None for a generator without styles."""
        return self.manifest.styles if isinstance(self.manifest, GenerateManifest) else None

    @property
    def inputs(self) -> GeneratorInputs:
        """What it takes."""
        noise = self.manifest.noise if isinstance(self.manifest, GenerateManifest) else None
        latents, labels = self.signature.latents, self.signature.labels
        return GeneratorInputs(self.model.path, latents, labels, self.style_space, noise.dim if noise else 0)

    @property
    def trained_on(self) -> str | None:
        """The data set that it was trained on, where the manifest says so."""
        data = self.manifest.training.get("data") if self.manifest else None
        return data if isinstance(data, str) else None

    def sample(
        self,
        n: int,
        seed: int = 0,
        start: int = 0,
        labels: ArrayLike | None = None,
        batch_size: int | None = None,
        truncation: ArrayLike | None = None,
    ) -> Images:
        """Draw the images start .. start + n - 1 of `seed`, uint8 [n, height, width, channels].

        The bytes of an image do not depend on calls, batches or threads.

        Args:
            n: how many images; of none, an empty array.
            seed: 0 to 2**64 - 1.
            start: index of the first image.
            labels: numbers or names of classes, [n] or one for all; i mod classes if None.
            batch_size: images per run of the session.
            truncation: of a generator with styles, -1 to 2, [n] or one for all: how far styles are from their mean. 1
                leaves them as they are, less gives more typical and less varied images (Karras et al. 2019,
                appendix B). That of the file if None.

        Raises:
            InputError: an argument is out of range, labels are given to an unconditional generator, truncation to one
                without styles, or it is closed.
        """
        if n == 0:
            check_indices(seed, start, 0)
            return np.empty((0, *self.image_shape), self.dtype)
        return self.array(self.request(n, seed, start, labels, batch_size=batch_size, truncation=truncation))

    def iter_batches(
        self,
        n: int,
        seed: int = 0,
        start: int = 0,
        labels: ArrayLike | None = None,
        batch_size: int | None = None,
        truncation: ArrayLike | None = None,
    ) -> Iterator[Images]:
        """As `sample`, batch by batch: any n in constant memory."""
        return self.batches(self.request(n, seed, start, labels, batch_size=batch_size, truncation=truncation))

    def request(
        self,
        n: int,
        seed: int = 0,
        start: int = 0,
        labels: ArrayLike | None = None,
        latents: ArrayLike | None = None,
        batch_size: int | None = None,
        truncation: ArrayLike | None = None,
        styles: ArrayLike | None = None,
    ) -> SampleRequest:
        """The checked request for n images, for `batches` and `array`.

        `latents` [n, latent_dim] take the place of seed and start: default labels then count from 0, as in a call, and
        the noise is that of the file. `styles` [n, layers, d] take the place of labels and truncation, too.
        Errors are those of `sample`.
        """
        size = self.batch_size(batch_size)
        return self.inputs.request(n, seed, start, labels, latents, size, truncation, styles)

    def batches(self, request: Request) -> Iterator[Images]:
        """As of the base class. Styles are drawn by `synthesis`; errors are those of `synthesize`."""
        return self.synthesis.batches(request) if _has_styles(request) else super().batches(request)

    def array(self, request: Request) -> Images:
        """As of the base class. Styles are drawn by `synthesis`; errors are those of `synthesize`."""
        return self.synthesis.array(request) if _has_styles(request) else super().array(request)

    def __call__(
        self, latents: ArrayLike, labels: ArrayLike | None = None, truncation: ArrayLike | None = None
    ) -> Images:
        """Images uint8 [n, height, width, channels] of given latents, float [n, latent_dim], n at least 1.

        Labels, truncation and errors are those of `sample`. Noise, where it is an input, is that of the file.
        """
        return self.array(self._request_of(latents, labels, truncation))

    def styles(
        self, latents: ArrayLike, labels: ArrayLike | None = None, truncation: ArrayLike | None = None
    ) -> NDArray[np.float32]:
        """Styles of given latents, which `synthesize` draws images from.

        They come from x-mapping.onnx if it is beside x.onnx; without it this takes as long as to draw the images.

        Args:
            latents: float [n, latent_dim], n at least 1.
            labels, truncation: as in `sample`.

        Returns:
            float32 [n, layers, d].

        Raises:
            InputError: as `sample`, or the generator has no styles.
            ModelError: x-mapping.onnx belongs to another generator.
        """
        from gan_runtime.parts import Mapping, styles_of  # noqa: PLC0415  (only generators with styles need it)

        space = self.inputs.check_styled("styles")
        request, beside = self._request_of(latents, labels, truncation), mapping_path(self.model.path)
        if Mapping in self.parts or beside.is_file():
            return self._part(Mapping, beside).styles(request)
        return styles_of(self, request, space, self.piece_size(request.n))

    def synthesize(self, styles: ArrayLike, batch_size: int | None = None) -> Images:
        """Images uint8 [n, height, width, channels] of given styles, float [n, layers, d], n at least 1.

        They are drawn by x-synthesis.onnx beside x.onnx, with the noise in that file.

        Raises:
            InputError: the generator has no styles or takes others, the batch size is out of range, or it is closed.
            ModelError: there is no x-synthesis.onnx, or it belongs to another generator.
        """
        given = self.inputs.check_styles(styles)
        return self.array(self.request(len(given), styles=given, batch_size=batch_size))

    @property
    def synthesis(self) -> "Synthesis":
        """The part that draws images from styles, opened on first use. Raises ModelError as `synthesize`."""
        from gan_runtime.parts import Synthesis  # noqa: PLC0415  (only generators with styles need it)

        self.inputs.check_styled("synthesis")
        return self._part(Synthesis, synthesis_path(self.model.path))

    def check_latents(self, latents: ArrayLike) -> NDArray[np.float32]:
        """`latents` as float32 [n, latent_dim], or an InputError that says what is wrong with them."""
        return self.inputs.check_latents(latents)

    def close(self) -> None:
        """As of the base class, of the parts, too."""
        super().close()
        for part in self.parts.values():
            part.close()

    def _request_of(self, latents: ArrayLike, labels: ArrayLike | None, truncation: ArrayLike | None) -> SampleRequest:
        z = self.check_latents(latents)
        return self.request(len(z), labels=labels, latents=z, truncation=truncation)

    def _part(self, kind: type[P], path: Path) -> P:
        from gan_runtime.parts import open_part  # noqa: PLC0415

        if self.closed:
            raise InputError(f"{self.model.path}: the model is closed; load it again")
        if kind not in self.parts:
            self.parts.setdefault(kind, open_part(kind, path, self))
        return self.parts[kind]  # type: ignore[return-value]


def _has_styles(request: Request) -> bool:
    return isinstance(request, SampleRequest) and request.own_styles is not None
