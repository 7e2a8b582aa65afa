"""The parts of a generator with styles, in files beside its own: latents to styles, and styles to images."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gan_runtime.drawing import Drawing, Images
from gan_runtime.errors import ModelError
from gan_runtime.inputs import GeneratorInputs, check_rows
from gan_runtime.manifest import Manifest, MapManifest, Styles, SynthesizeManifest
from gan_runtime.model_file import ModelFile, read_model_file
from gan_runtime.onnx_model import OnnxModel
from gan_runtime.onnx_runtime import Providers
from gan_runtime.request import SampleRequest
from gan_runtime.signature import drawn_signature, manifest_as

P = TypeVar("P", bound=OnnxModel)
PIECE = 1024  # styles per run


@dataclass(frozen=True, eq=False, repr=False)
class Mapping(OnnxModel):
    """A file that makes styles of latents, open on a device.

    >>> styles = gan_runtime.load("exported/faces-mapping.onnx")(latents, truncation=0.7)  # float32 [n, layers, d]
    """

    manifest: MapManifest

    @classmethod
    def manifest_of(cls, model: ModelFile) -> MapManifest:
        """The manifest of such a file. Raises ModelError where `model` is none, or contradicts its manifest."""
        return manifest_as(model, MapManifest)

    def __call__(
        self, latents: ArrayLike, labels: ArrayLike | None = None, truncation: ArrayLike | None = None
    ) -> NDArray[np.float32]:
        """Styles of latents. Arguments, result and errors are those of `Generator.styles`."""
        about = self.manifest
        inputs = GeneratorInputs(self.model.path, about.latents, about.labels, about.styles)
        z = inputs.check_latents(latents)
        return self.styles(inputs.request(len(z), 0, 0, labels, z, len(z), truncation))

    def styles(self, request: SampleRequest) -> NDArray[np.float32]:
        """Styles of the latents of `request`, float32 [n, layers, d]."""
        return styles_of(self, request, self.manifest.styles, min(-(-request.n // self.threads), PIECE))


@dataclass(frozen=True)
class _Given:
    """Styles to draw."""

    styles: NDArray[np.float32]
    batch_size: int

    @property
    def n(self) -> int:
        return len(self.styles)

    def feeds(self, first: int, count: int) -> dict[str, NDArray[Any]]:
        return {"styles": self.styles[first : first + count]}


@dataclass(frozen=True, eq=False, repr=False)
class Synthesis(Drawing):
    """A file that draws images from styles, open on a device.

    >>> images = gan_runtime.load("exported/faces-synthesis.onnx")(styles)  # uint8 [n, h, w, c]
    """

    manifest: SynthesizeManifest

    @classmethod
    def manifest_of(cls, model: ModelFile) -> SynthesizeManifest:
        """The manifest of such a file. Raises ModelError where `model` is none, or contradicts its manifest."""
        return manifest_as(model, SynthesizeManifest)

    @classmethod
    def open(
        cls,
        model: ModelFile,
        device: str = "auto",
        threads: int | None = None,
        *,
        providers: Providers | None = None,
    ) -> "Synthesis":
        """As `load`, for a file that has been read already."""
        manifest = cls.manifest_of(model)
        opened = cls.opened(model, manifest, device, threads, providers)
        return cls(*opened, drawn_signature(model, manifest))

    def __call__(self, styles: ArrayLike, batch_size: int | None = None) -> Images:
        """Images of styles, with the noise in the file. Arguments and errors are those of `Generator.synthesize`."""
        space = self.manifest.styles
        given = check_rows("styles", styles, (space.layers, space.dim))
        return self.array(_Given(given, self.batch_size(batch_size)))


def styles_of(model: OnnxModel, request: SampleRequest, space: Styles, piece: int) -> NDArray[np.float32]:
    """The output `styles` of `model` for the latents of `request`, `piece` rows per run.

    Returns:
        float32 [n, layers, d].
    """
    styles = np.empty((request.n, space.layers, space.dim), np.float32)

    def run(first: int, count: int) -> NDArray[np.float32]:
        (found,) = model.run(["styles"], request.feeds(first, count), count, min(piece, request.n))
        if found.shape != (expected := (count, *styles.shape[1:])):
            raise ModelError(
                f"{model.model.path}: gives styles {list(found.shape)} where {list(expected)} was declared; "
                "export it again"
            )
        return found  # type: ignore[no-any-return]

    model.workers.fill(styles, piece, run)
    return styles


def open_part(kind: type[P], path: Path, generator: OnnxModel) -> P:
    """The part of an open generator at `path`, on its device.

    Raises:
        ModelError: there is none, or it belongs to another generator.
        DeviceError: it cannot be run there.
    """
    if not path.is_file():
        raise ModelError(
            f"{generator.model.path}: has no {path.name} beside it; write it with gan-export --parts, and copy it, too"
        )
    model = read_model_file(path)
    check_origin(model, kind.manifest_of(model), generator.model, "write all of them again with gan-export --parts")
    return kind.open(model, **generator.place)


def check_origin(part: ModelFile, manifest: Manifest, generator: ModelFile, way_out: str) -> None:
    """Raise ModelError where `part`, which has this manifest, was not exported together with `generator`."""
    origin = manifest.training.get("generator")
    if not isinstance(origin, dict) or origin.get("sha256") != generator.sha256:
        raise ModelError(f"{part.path}: was not exported together with {generator.path}; {way_out}")
