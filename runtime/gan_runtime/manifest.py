"""What an exported file says of itself: JSON in the model's metadata under the key "gan_edge".

The trainer writes it, every command of the runtime reads it. A reader takes files of its own format version and older
ones, ignores keys that it does not know, and refuses newer versions by name.
"""

import base64
import json
import math
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gan_runtime.errors import ModelError
from gan_runtime.model_file import ModelFile

METADATA_KEY = "gan_edge"
FORMAT_VERSION = 1
FINGERPRINT_PIXELS = 3072  # 4 KB of base64
MAX_FINGERPRINT_IMAGES = 1024


@dataclass(frozen=True)
class Fingerprint:
    """Pixels that the exporting host saw: of the images 0 .. count - 1 of `seed`, spread evenly over all values."""

    seed: int
    count: int
    pixels: bytes = field(repr=False)

    def difference(self, images: NDArray[np.uint8]) -> int:
        """Largest difference in grey levels between these pixels and uint8 [count, h, w, c] sampled here."""
        here = spread(images, len(self.pixels)).astype(np.int16)
        if len(here) != len(self.pixels):
            return 255  # of other images: there are not as many pixels
        return int(np.abs(here - np.frombuffer(self.pixels, np.uint8)).max())


@dataclass(frozen=True)
class Latents:
    """`latents`, float32 [n, dim]: what a generator takes, from "normal" N(0, 1) or "uniform" U(-1, 1), or an encoder
    gives.
    """

    dim: int
    distribution: str = "normal"


@dataclass(frozen=True)
class Labels:
    """The input `labels`: int64 [n] in 0 .. classes - 1, and what each class is called."""

    classes: int
    names: tuple[str, ...] = ()


@dataclass(frozen=True)
class ImageSize:
    """The output `images`: uint8 [n, height, width, channels]."""

    height: int
    width: int
    channels: int

    @property
    def shape(self) -> tuple[int, int, int]:
        """Of one image."""
        return self.height, self.width, self.channels


@dataclass(frozen=True)
class Points:
    """The output `points`: float32 [n, coordinates], all of them in [-extent, extent]."""

    coordinates: int
    extent: float

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one point."""
        return (self.coordinates,)

    def levels(self, points: NDArray[Any]) -> NDArray[np.uint8]:
        """The coordinates as 256 levels, as if they were grey: what a fingerprint keeps."""
        levels: NDArray[np.uint8] = np.rint(points / self.extent * 127.5 + 127.5).clip(0, 255).astype(np.uint8)
        return levels


@dataclass(frozen=True)
class Measures:
    """The outputs `features`: float32 [n, dim], and `logits`: float32 [n, classes], and what each class is called."""

    dim: int
    classes: int
    names: tuple[str, ...] = ()


@dataclass(frozen=True)
class Manifest:
    """The roles of inputs and outputs, and where the file comes from.

    A generator has `latents`, perhaps `labels`, and `output`, images or points; an encoder has `images` and `codes`,
    the latents that it gives; a feature network has `images` and `measures`.
    """

    name: str
    task: str
    latents: Latents | None = None
    labels: Labels | None = None
    output: ImageSize | Points | None = None
    training: dict[str, Any] = field(default_factory=dict)
    quality: list[dict[str, Any]] = field(default_factory=list)
    fingerprint: Fingerprint | None = None
    images: ImageSize | None = None
    measures: Measures | None = None
    codes: Latents | None = None

    def to_json(self) -> str:
        """The text for the model's metadata."""
        inputs = {"latents": self.latents, "labels": self.labels, "images": self.images}
        output = self.output or self.measures
        document: dict[str, Any] = {
            "format_version": FORMAT_VERSION,
            "name": self.name,
            "task": self.task,
            "inputs": {name: asdict(role) for name, role in inputs.items() if role},
            "output": asdict(output) if output else {"latents": asdict(self.codes)} if self.codes else {},
            "training": self.training,
            "quality": self.quality,
        }
        if self.fingerprint:
            pixels = base64.b64encode(self.fingerprint.pixels).decode()
            document["fingerprint"] = asdict(self.fingerprint) | {"pixels": pixels}
        return json.dumps(document, ensure_ascii=False, allow_nan=False)


def read_manifest(model: ModelFile) -> Manifest | None:
    """The manifest of `model`, or None where it has none.

    Raises:
        ModelError: the manifest is newer than this reader, or damaged.
    """
    text = model.metadata.get(METADATA_KEY)
    if text is None:
        return None
    try:
        document = json.loads(text)
        version = int(document["format_version"])
        if version <= FORMAT_VERSION:
            return _from_document(document)
    except (ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RecursionError) as error:
        reason = f"{type(error).__name__}: {error}"
        raise ModelError(f"{model.path}: its manifest is damaged ({reason}); export the model again") from None
    raise ModelError(
        f"{model.path}: its manifest has format version {version}, this gan-edge reads up to {FORMAT_VERSION}; "
        "upgrade gan-edge on this host"
    )


def spread(images: NDArray[np.uint8], count: int) -> NDArray[np.uint8]:
    """At most `count` values of `images`, at even distances over the flattened array, the first and last included."""
    flat = images.reshape(-1)
    return flat[np.linspace(0, flat.size - 1, min(count, flat.size)).astype(np.int64)]


def _from_document(document: dict[str, Any]) -> Manifest:
    inputs, output, print_ = document["inputs"], document.get("output") or {}, document.get("fingerprint")
    latents, labels = inputs.get("latents"), inputs.get("labels")
    return Manifest(
        name=str(document["name"]),
        task=str(document["task"]),
        latents=_latents(latents) if latents else None,
        labels=Labels(_count(labels["classes"]), tuple(map(str, labels["names"]))) if labels else None,
        images=_size(inputs["images"]) if "images" in inputs else None,
        output=_output(output),
        measures=_measures(output) if "classes" in output else None,
        codes=_latents(output["latents"]) if "latents" in output else None,
        training=dict(document.get("training") or {}),
        quality=list(document.get("quality") or []),
        fingerprint=_fingerprint(print_) if print_ else None,
    )


def _output(document: dict[str, Any]) -> ImageSize | Points | None:
    if "coordinates" in document:
        extent = float(document["extent"])
        if not 0 < extent < math.inf:
            raise ValueError(f"the extent {extent} is not positive")
        return Points(_count(document["coordinates"]), extent)
    return _size(document) if "height" in document else None


def _size(document: dict[str, Any]) -> ImageSize:
    return ImageSize(*(_count(document[axis]) for axis in ("height", "width", "channels")))


def _latents(document: dict[str, Any]) -> Latents:
    return Latents(_count(document["dim"]), str(document["distribution"]))


def _measures(document: dict[str, Any]) -> Measures:
    return Measures(_count(document["dim"]), _count(document["classes"]), tuple(map(str, document["names"])))


def _fingerprint(document: dict[str, Any]) -> Fingerprint:
    pixels = base64.b64decode(document["pixels"], validate=True)
    if not pixels:
        raise ValueError("the fingerprint is empty")
    return Fingerprint(int(document["seed"]), _count(document["count"], MAX_FINGERPRINT_IMAGES), pixels)


def _count(value: Any, most: int = 2**31) -> int:
    if not 1 <= int(value) <= most:
        raise ValueError(f"{value} is not between 1 and {most}")
    return int(value)
