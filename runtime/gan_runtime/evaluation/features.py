"""Feature networks: images in, feature vectors and class logits out."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gan_runtime.errors import ModelError
from gan_runtime.evaluation.metrics import largest_probability
from gan_runtime.manifest import FeaturesManifest, ImageSize, Measures, read_manifest
from gan_runtime.model_file import ModelFile, Port, read_model_file
from gan_runtime.onnx_model import IMAGES, ImageReader
from gan_runtime.session import check_threads, import_onnxruntime, open_session
from gan_runtime.signature import check_signature, check_task
from gan_runtime.threads import Workers, available_cpus, cpu_kind

FEATURES, LOGITS = "features", "logits"


@dataclass(frozen=True)
class Measured:
    """The output of a feature network for n images.

    Attributes:
        features: float32 [n, d].
        predicted: the class of the largest logit, int64 [n].
        confidence: its probability, the maximum of the softmax, float64 [n].
    """

    features: NDArray[np.float32]
    predicted: NDArray[np.int64]
    confidence: NDArray[np.float64]

    def at(self, chosen: NDArray[np.int64] | slice) -> "Measured":
        """The output for some of the images."""
        return Measured(self.features[chosen], self.predicted[chosen], self.confidence[chosen])


@dataclass(frozen=True)
class FeatureNetwork(ImageReader):
    """A feature file, open on a device.

    The contract: input `images` uint8 [n, h, w, c]; outputs `features` float32 [n, d], `logits` float32 [n, classes].
    A manifest with the task "features" may say more; a file without one is taken by these names.
    """

    name: str
    dim: int
    classes: int

    @classmethod
    def load(cls, path: str | Path, device: str = "auto", threads: int | None = None) -> "FeatureNetwork":
        """Open the file at `path` on "cpu", "cuda" or "auto".

        Raises:
            ModelError: the file is damaged, or does not keep the contract.
            DeviceError, InputError: as `open_session`.
        """
        model = read_model_file(path)
        name, size, measures = _described(model)
        check_threads(threads)
        session = open_session(model, device, threads=1)
        workers = Workers(threads or available_cpus())
        return cls(model, session, size, workers, name, measures.dim, measures.classes)

    @property
    def key(self) -> str:
        """Identifies the output, whose last digits depend on the device, ONNX Runtime and the kind of processor."""
        kind = cpu_kind() if self.session.device == "cpu" else self.session.device
        return f"{self.model.sha256} {import_onnxruntime().__version__} {kind}"

    def measure(self, batches: Iterator[NDArray[np.uint8]]) -> Measured:
        """Measure batches of images, uint8 [n, h, w, c] each.

        Raises:
            InputError: the images have another size than the network takes, or there are none.
            DeviceError: the device fails.
            ModelError: a feature or logit is not finite.
        """
        return Measured(*self.read(batches, [FEATURES, LOGITS], _kept))


def _kept(features: NDArray[np.float32], logits: NDArray[np.float32]) -> tuple[NDArray[Any], ...]:
    """Features, predicted classes and their probabilities; logits of a thousand classes would take too much memory."""
    return features, logits.argmax(1), largest_probability(logits)


def _described(model: ModelFile) -> tuple[str, ImageSize, Measures]:
    """The name of a feature network, the images that it takes, and what it gives; the graph says what no manifest says.

    Raises:
        ModelError: the file is no feature network, or contradicts its manifest.
    """
    manifest = read_manifest(model)
    if manifest is None:
        described = FeaturesManifest(name=model.path.stem)
    else:
        described = check_task(model, manifest, FeaturesManifest)
    inputs = {port.name: port for port in model.inputs}
    outputs = {port.name: port for port in model.outputs}
    if set(inputs) != {IMAGES} or not {FEATURES, LOGITS} <= set(outputs):
        raise ModelError(
            f"{model.path}: no feature network: it has {sorted(inputs)} -> {sorted(outputs)}; it needs the input "
            f"{IMAGES!r} and the outputs {FEATURES!r} and {LOGITS!r} (docs/quality.md)"
        )
    height, width, channels = _fixed(model, inputs[IMAGES], 4)
    (dim,), (classes,) = _fixed(model, outputs[FEATURES], 2), _fixed(model, outputs[LOGITS], 2)
    measures = described.output or Measures(dim, classes)
    check_signature(model, replace(described, output=measures))
    return described.name, ImageSize(height, width, channels), measures


def _fixed(model: ModelFile, port: Port, axes: int) -> list[int]:
    """The axes after the first of a port; they have to be numbers."""
    sizes = [axis for axis in port.shape[1:] if isinstance(axis, int) and axis > 0]
    if len(port.shape) != axes or len(sizes) != axes - 1:
        raise ModelError(
            f"{model.path}: {port.name!r} is {list(port.shape)}; it must have {axes} axes, all but the first fixed"
        )
    return sizes
