"""What an exported file says of itself: JSON in the model's metadata under the key "gan_edge".

The trainer writes it, every command of the runtime reads it. A reader takes files of its own format version and older
ones, ignores keys that it does not know, and refuses newer versions by name. The classes below check their fields, so
that a manifest made in Python obeys the same rules as one that is read.
"""

import base64
import json
import math
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gan_runtime.errors import InputError, ModelError
from gan_runtime.model_file import ModelFile

METADATA_KEY = "gan_edge"
FORMAT_VERSION = 1
FINGERPRINT_PIXELS = 3072  # 4 KB of base64
MAX_FINGERPRINT_IMAGES = 1024
DISTRIBUTIONS = ("normal", "uniform")
MAX_COUNT = 2**31


@dataclass(frozen=True)
class Fingerprint:
    """Pixels that the exporting host saw: of the images 0 .. count - 1 of `seed`, spread evenly over all values."""

    seed: int
    count: int
    pixels: bytes = field(repr=False)

    def __post_init__(self) -> None:
        _check_count("fingerprint.seed", self.seed, 2**64 - 1, least=0)
        _check_count("fingerprint.count", self.count, MAX_FINGERPRINT_IMAGES)
        _check_type("fingerprint.pixels", self.pixels, bytes)
        if not self.pixels:
            raise InputError("fingerprint.pixels: is empty")

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

    def __post_init__(self) -> None:
        _check_count("latents.dim", self.dim)
        if self.distribution not in DISTRIBUTIONS:
            raise InputError(f"latents.distribution {self.distribution!r}: must be one of {', '.join(DISTRIBUTIONS)}")


@dataclass(frozen=True)
class Labels:
    """The input `labels`: int64 [n] in 0 .. classes - 1, and what each class is called, if the classes have names."""

    classes: int
    names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        _check_classes("labels", self.classes, self.names)


@dataclass(frozen=True)
class ImageSize:
    """The output `images`: uint8 [n, height, width, channels]."""

    height: int
    width: int
    channels: int

    def __post_init__(self) -> None:
        for axis in ("height", "width", "channels"):
            _check_count(axis, getattr(self, axis))

    @property
    def shape(self) -> tuple[int, int, int]:
        """Of one image."""
        return self.height, self.width, self.channels

    def __str__(self) -> str:
        return " x ".join(map(str, self.shape))


@dataclass(frozen=True)
class Points:
    """The output `points`: float32 [n, coordinates], all of them in [-extent, extent]."""

    coordinates: int
    extent: float

    def __post_init__(self) -> None:
        _check_count("coordinates", self.coordinates)
        _check_type("extent", self.extent, (int, float))
        if not 0 < self.extent < math.inf:
            raise InputError(f"extent {self.extent}: must be positive and finite")

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
    """The outputs `features`: float32 [n, dim], and `logits`: float32 [n, classes], and what each class is called, if
    the classes have names.
    """

    dim: int
    classes: int
    names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        _check_count("dim", self.dim)
        _check_classes("output", self.classes, self.names)


@dataclass(frozen=True)
class Manifest:
    """The roles of inputs and outputs, and where the file comes from.

    A generator has `latents`, perhaps `labels`, and `output`, images or points; an encoder has `images` and `codes`,
    the latents that it gives; a feature network has `images` and `measures`. `pictures` says how pictures of any kind
    became the images that it was trained on (`gan_runtime.images.recorded`); empty where they did not.
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
    pictures: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for key, kind in {"name": str, "task": str, "training": dict, "quality": list, "pictures": dict}.items():
            _check_type(key, getattr(self, key), kind)
        for entry in self.quality:
            _check_type("an entry of quality", entry, dict)
        try:
            json.dumps([self.training, self.quality, self.pictures], allow_nan=False)
        except (TypeError, ValueError) as error:
            raise InputError(f"training, quality or pictures: cannot be written as JSON: {error}") from None

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
        if self.pictures:
            document["pictures"] = self.pictures
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
        version = document["format_version"]
        _check_count("format_version", version, most=None)
        if version <= FORMAT_VERSION:
            return _from_document(document)
    except InputError as error:
        raise _damaged(model, str(error)) from None
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise _damaged(model, f"{type(error).__name__}: {error}") from None
    raise ModelError(
        f"{model.path}: its manifest has format version {version}, this gan-edge reads up to {FORMAT_VERSION}; "
        "upgrade gan-edge on this host"
    )


def spread(images: NDArray[np.uint8], count: int) -> NDArray[np.uint8]:
    """At most `count` values of `images`, at even distances over the flattened array, the first and last included."""
    flat = images.reshape(-1)
    return flat[np.linspace(0, flat.size - 1, min(count, flat.size)).astype(np.int64)]


def _damaged(model: ModelFile, reason: str) -> ModelError:
    return ModelError(f"{model.path}: its manifest is damaged ({reason}); export the model again")


def _from_document(document: dict[str, Any]) -> Manifest:
    inputs, output = _section(document, "inputs"), _section(document, "output", optional=True)
    latents, labels, images = (_section(inputs, key, optional=True) for key in ("latents", "labels", "images"))
    codes, print_ = _section(output, "latents", optional=True), _section(document, "fingerprint", optional=True)
    return Manifest(
        name=document["name"],
        task=document["task"],
        latents=_latents(latents) if latents else None,
        labels=Labels(labels["classes"], _names(labels)) if labels else None,
        images=_size(images) if images else None,
        output=_output(output),
        measures=Measures(output["dim"], output["classes"], _names(output)) if "classes" in output else None,
        codes=_latents(codes) if codes else None,
        training=document.get("training", {}),
        quality=document.get("quality", []),
        pictures=document.get("pictures", {}),
        fingerprint=_fingerprint(print_) if print_ else None,
    )


def _section(document: dict[str, Any], key: str, *, optional: bool = False) -> dict[str, Any]:
    """The object under `key`; an empty one where it is optional and missing."""
    section: dict[str, Any] = document.get(key, {}) if optional else document[key]
    _check_type(key, section, dict)
    return section


def _output(document: dict[str, Any]) -> ImageSize | Points | None:
    if "coordinates" in document:
        return Points(document["coordinates"], document["extent"])
    return _size(document) if "height" in document else None


def _size(document: dict[str, Any]) -> ImageSize:
    return ImageSize(document["height"], document["width"], document["channels"])


def _latents(document: dict[str, Any]) -> Latents:
    return Latents(document["dim"], document["distribution"])


def _names(document: dict[str, Any]) -> tuple[str, ...]:
    _check_type("names", document["names"], list)
    return tuple(document["names"])


def _fingerprint(document: dict[str, Any]) -> Fingerprint:
    pixels = base64.b64decode(document["pixels"], validate=True)
    return Fingerprint(document["seed"], document["count"], pixels)


def _check_classes(what: str, classes: int, names: tuple[str, ...]) -> None:
    _check_count(f"{what}.classes", classes)
    _check_type(f"{what}.names", names, tuple)
    for name in names:
        _check_type(f"a name in {what}.names", name, str)
    if len(names) not in (0, classes):
        raise InputError(f"{what}.names: {len(names)} names for {classes} classes; give one for each class, or none")
    if len(set(names)) != len(names):
        raise InputError(f"{what}.names: two classes have the same name")


def _check_count(what: str, value: Any, most: int | None = MAX_COUNT, least: int = 1) -> None:
    _check_type(what, value, int)
    if value < least or (most is not None and value > most):
        raise InputError(f"{what} {value}: must be at least {least}{'' if most is None else f' and at most {most}'}")


def _check_type(what: str, value: Any, kind: type | tuple[type, ...]) -> None:
    """Raise InputError where `value` is of another type; True and False are no numbers."""
    kinds = kind if isinstance(kind, tuple) else (kind,)
    if not isinstance(value, kinds) or isinstance(value, bool):
        wanted = " or ".join(one.__name__ for one in kinds)
        raise InputError(f"{what} {value!r:.60}: must be of type {wanted}, not {type(value).__name__}")
