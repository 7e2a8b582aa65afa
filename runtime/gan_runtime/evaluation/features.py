"""Feature networks: images in, feature vectors and class logits out."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gan_runtime.devices.processors import cpu_kind
from gan_runtime.errors import DeviceError, InputError, ModelError
from gan_runtime.evaluation.metrics import largest_probability
from gan_runtime.image_reader import IMAGES, LARGE, ImageReader
from gan_runtime.manifest import FeaturesManifest, ImageAxes, ImageSize, Measures, read_manifest
from gan_runtime.model_file import ModelFile, Port
from gan_runtime.onnx_runtime import import_onnxruntime
from gan_runtime.signature import check_signature, check_task

FEATURES, LOGITS = "features", "logits"
VALUES = 2**18  # of the images of one run of a small network on a CPU: 21 images of 64x64 in RGB, one of 512x512


@dataclass(frozen=True)
class Measured:
    """The output of a feature network for n images.

    Attributes:
        features: float32 [n, d].
        predicted: the class of the largest logit, int64 [n]; None if the network has no logits.
        confidence: its probability, the maximum of the softmax, float64 [n]; None if the network has no logits.
    """

    features: NDArray[np.float32]
    predicted: NDArray[np.int64] | None = None
    confidence: NDArray[np.float64] | None = None

    def at(self, chosen: NDArray[np.int64] | slice) -> "Measured":
        """The output for some of the images."""
        if self.predicted is None or self.confidence is None:
            return Measured(self.features[chosen])
        return Measured(self.features[chosen], self.predicted[chosen], self.confidence[chosen])


@dataclass(frozen=True, eq=False, repr=False)
class FeatureNetwork(ImageReader):
    """A feature file, open on a device.

    The contract: input `images` uint8 [n, h, w, c], each of h, w and c fixed or any; outputs `features` float32 [n, d]
    and perhaps `logits` float32 [n, classes]. A file without a manifest is read by these names.
    """

    manifest: FeaturesManifest
    """What the file says of itself, and what its graph shows."""

    @classmethod
    def manifest_of(cls, model: ModelFile) -> FeaturesManifest:
        """The manifest of a feature network. Raises ModelError where `model` is none, or contradicts its manifest."""
        return _described(model)

    @property
    def name(self) -> str:
        """Of the network, for people."""
        return self.manifest.name

    @property
    def dim(self) -> int:
        """Values per feature vector."""
        assert self.manifest.output
        return self.manifest.output.dim

    @property
    def classes(self) -> int:
        """Number of logits; 0 if it gives none."""
        assert self.manifest.output
        return self.manifest.output.classes

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names of the classes of the logits; empty if the file names none."""
        assert self.manifest.output
        return self.manifest.output.names

    @property
    def key(self) -> str:
        """Identifies the output, whose last digits depend on the device, ONNX Runtime and the kind of processor."""
        kind = cpu_kind() if self.session.device == "cpu" else self.session.device
        return f"{self.model.sha256} {import_onnxruntime().__version__} {kind}"

    def at(self, size: ImageSize) -> "FeatureNetwork":
        """The same network for images of this size alone; unchanged if it takes only others."""
        return replace(self, manifest=replace(self.manifest, images=size)) if self.size.takes(size) else self

    def fixed_size(self, what: str) -> ImageSize:
        """The one size of images that it takes, for `what`. Raises InputError if it takes several sizes."""
        if isinstance(self.size, ImageSize):
            return self.size
        raise InputError(f"{what}: {self.model.path} takes images {self.size}; name a feature network of one size")

    def measure(self, batches: Iterator[NDArray[np.uint8]], n: int | None = None) -> Measured:
        """Measure `n` images in batches, uint8 [any, h, w, c] each; `n` may be None if all fit into memory.

        Raises:
            InputError: the images have another size than the network takes, or there are none.
            DeviceError: the device fails, or a network of any size cannot take images as small as these.
            ModelError: a feature or logit is not finite.
        """
        outputs = [FEATURES, LOGITS][: 2 if self.classes else 1]
        try:
            return Measured(*self.read(batches, outputs, n, _summarise))
        except DeviceError as error:
            if all(isinstance(axis, int) for axis in self.model.inputs[0].shape[1:]):
                raise
            raise DeviceError(
                f"{error}; images of {self.size} may be too small for this network: choose a larger --size, or other "
                "--features"
            ) from None

    def piece_size(self, values: int) -> int:
        """Images per run. Fewer of large images: memory is bounded, and a small network is not slower with few."""
        most = super().piece_size(values)
        if not self.on_cpu or self.model.size >= LARGE:
            return most
        return max(1, min(most, VALUES // max(1, values)))


def _summarise(features: NDArray[np.float32], *logits: NDArray[np.float32]) -> tuple[NDArray[Any], ...]:
    """Features, predicted classes and their probabilities; logits of a thousand classes would take too much memory."""
    return features, *(part for scores in logits for part in (scores.argmax(1), largest_probability(scores)))


def _described(model: ModelFile) -> FeaturesManifest:
    """The manifest of a feature network; the graph says what the manifest does not.

    Raises:
        ModelError: the file is no feature network, or contradicts its manifest.
    """
    manifest = read_manifest(model)
    if manifest is None:
        described = FeaturesManifest(name=model.path.stem)
    else:
        described = check_task(model, manifest, FeaturesManifest)
    ports = {port.name: port for port in (*model.inputs, *model.outputs)}
    if [port.name for port in model.inputs] != [IMAGES] or FEATURES not in ports:
        inputs, outputs = ([port.name for port in side] for side in (model.inputs, model.outputs))
        raise ModelError(
            f"{model.path}: no feature network: it has {sorted(inputs)} -> {sorted(outputs)}; it needs the input "
            f"{IMAGES!r} and the output {FEATURES!r}, and may have the output {LOGITS!r} (docs/quality.md)"
        )
    axes = ports[IMAGES].shape[1:]
    if len(axes) != 3:
        raise ModelError(f"{model.path}: {IMAGES!r} is {list(ports[IMAGES].shape)}; it must be [n, h, w, c]")
    images = ImageAxes(*(axis if isinstance(axis, int) else None for axis in axes))
    if None not in vars(images).values():
        images = ImageSize(**vars(images))
    dim, classes = (_width(model, ports[name]) if name in ports else 0 for name in (FEATURES, LOGITS))
    measures = described.output or Measures(dim, classes)
    check_signature(model, replace(described, output=measures))
    return replace(described, images=images, output=measures)


def _width(model: ModelFile, port: Port) -> int:
    """The length of the second axis of an output, which has to be fixed."""
    match port.shape:
        case (_, int(width)) if width > 0:
            return width
    raise ModelError(f"{model.path}: {port.name!r} is {list(port.shape)}; it must be [n, d] with a fixed d")
