"""The source of sampled images: a request and a generator."""

from collections.abc import Iterator
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gan_runtime.errors import InputError
from gan_runtime.generator import Generator
from gan_runtime.manifest import GenerateManifest, Points
from gan_runtime.records import record
from gan_runtime.request import SampleRequest


@record(frozen=True)
class SampledImages:
    """The samples of `request` from `generator`: a `Source` for `write_output`. Made by `draw`."""

    generator: Generator
    request: SampleRequest

    @property
    def n(self) -> int:
        """Number of images."""
        return self.request.n

    @property
    def start(self) -> int:
        """Index of the first image."""
        return self.request.start

    @property
    def names(self) -> None:
        """None: the files are named by the index of the image."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of all images together: n, height, width, channels; of points: n, coordinates."""
        return self.request.n, *self.generator.image_shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """uint8 of images, float32 of points."""
        return self.generator.dtype

    @property
    def unit(self) -> str:
        """What is counted: "images" or "points"."""
        return "points" if self.points else "images"

    @property
    def threads(self) -> int:
        """Threads of the generator."""
        return self.generator.threads

    @property
    def classes(self) -> int:
        """Number of classes of the labels; 0 for an unconditional generator."""
        return self.request.classes

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names of the classes in order; empty where they have none."""
        return self.generator.class_names

    @property
    def is_given(self) -> bool:
        """Whether latents or styles were given in place of a seed."""
        return self.request.own_latents is not None or self.request.own_styles is not None

    @property
    def path(self) -> Path:
        """The file that draws them, for messages."""
        return self.generator.model.path

    @property
    def points(self) -> Points | None:
        """What the points are; None for images."""
        return self.generator.points

    def identity(self) -> dict[str, Any]:
        """What determines the images, as JSON: the model's digest, how it is read, and the request."""
        request, read_as = self.request, self.generator.signature.read_as
        identity = {
            "model": self.generator.model.sha256,
            "seed": request.seed,
            "start": request.start,
            "n": request.n,
            "label": _one_or_digest(request.own_labels),
            "latents": _digest(request.own_latents),
        }
        more = {"read_as": read_as or None, "truncation": self.truncation, "styles": _digest(request.own_styles)}
        return identity | {key: value for key, value in more.items() if value is not None}

    @property
    def truncation(self) -> float | str | None:
        """The truncation of all images, or a digest of those of each; None for images without."""
        about, own = self.generator.manifest, self.request.truncation
        if not isinstance(about, GenerateManifest) or not about.truncation or self.request.own_styles is not None:
            return None
        found = _one_or_digest(np.array([about.truncation.default], np.float32) if own is None else own)
        return float(str(np.float32(found))) if isinstance(found, float) else found  # 0.7, as it was given

    def part(self, first: int, count: int) -> "SampledImages":
        """The images first .. first + count - 1, the same ones. Raises InputError where they are not all here."""
        if not 0 <= first < first + count <= self.n:
            raise InputError(f"part {first} to {first + count}: the request has the images 0 to {self.n - 1}")
        return replace(self, request=self.request.part(first, count))

    def labels(self, first: int, count: int) -> NDArray[np.int64] | None:
        """Labels of the images first .. first + count - 1, int64 [count]; None for an unconditional generator."""
        return self.request.labels(first, count)

    def batches(self) -> Iterator[NDArray[Any]]:
        """The images in order, uint8 [at most batch_size, height, width, channels] at a time."""
        return self.generator.batches(self.request)


def draw(
    generator: Generator,
    n: int,
    seed: int = 0,
    start: int = 0,
    labels: ArrayLike | None = None,
    latents: ArrayLike | None = None,
    batch_size: int | None = None,
    truncation: ArrayLike | None = None,
    styles: ArrayLike | None = None,
) -> SampledImages:
    """`n` images of `generator`, drawn when they are written. Arguments and errors are those of `Generator.request`."""
    request = generator.request(n, seed, start, labels, latents, batch_size, truncation, styles)
    return SampledImages(generator, request)


def styles_of(
    sampled: SampledImages, latents: NDArray[np.float32], labels: NDArray[np.int64] | None = None
) -> NDArray[np.float32]:
    """Styles of latents float32 [k, n, d], for drawing: float32 [k, n, layers, d].

    Labels, int64 [k * n], and truncation are those of the n images of the request unless labels are given.

    Raises:
        ModelError: the generator has no part that draws styles. It is opened before the styles are computed.
        InputError: the generator has no styles.
    """
    _ = sampled.generator.synthesis
    request = sampled.request.repeated(len(latents))
    labels = request.own_labels if labels is None else labels
    styles = sampled.generator.styles(latents.reshape(-1, latents.shape[-1]), labels, request.truncation)
    return styles.reshape(*latents.shape[:2], *styles.shape[1:])


def _one_or_digest(values: NDArray[Any] | None) -> Any:
    if values is None:
        return None
    return values[0].item() if np.all(values == values[0]) else _digest(values)


def _digest(values: NDArray[Any] | None) -> str | None:
    return None if values is None else sha256(np.ascontiguousarray(values).tobytes()).hexdigest()
