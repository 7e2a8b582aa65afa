"""The manifest: what an exported file says of itself, as JSON in the model's metadata under the key "gan_edge".

Each task has a dataclass, and `MANIFESTS` is the table of them. Each of its fields has a place in the JSON and the type
of the object there; a field with a default may be absent. Other keys are ignored; newer format versions are refused by
name. Values are checked when an object is made, in Python and from a file alike.
"""

import json
from dataclasses import MISSING, Field, field, fields
from typing import Any

from gan_runtime.errors import InputError, ModelError
from gan_runtime.manifest_parts import (
    DISTRIBUTIONS,
    MAX_FINGERPRINT_IMAGES,
    Counterpart,
    Fingerprint,
    ImageAxes,
    ImageSize,
    Labels,
    Latents,
    Measures,
    Noise,
    Points,
    Precision,
    Styles,
    Tiling,
    Truncation,
    check_count,
    check_type,
)
from gan_runtime.model_file import ModelFile
from gan_runtime.records import record

__all__ = [
    "DISTRIBUTIONS",
    "MANIFESTS",
    "MAX_FINGERPRINT_IMAGES",
    "METADATA_KEY",
    "Counterpart",
    "EncodeManifest",
    "FeaturesManifest",
    "Fingerprint",
    "GenerateManifest",
    "ImageAxes",
    "ImageSize",
    "ImageToImageManifest",
    "Labels",
    "Latents",
    "Manifest",
    "MapManifest",
    "Measures",
    "Noise",
    "Points",
    "PointsManifest",
    "Precision",
    "Styles",
    "SynthesizeManifest",
    "Tiling",
    "TranslateManifest",
    "Truncation",
    "UpscaleManifest",
    "plain_fields",
    "read_manifest",
]

METADATA_KEY = "gan_edge"
FORMAT_VERSION = 1


@record(frozen=True, kw_only=True)
class Manifest:
    """What the manifests of all tasks have, and all that is read of a task that this version does not know.

    Attributes:
        name: the name of the model, for people.
        task: what goes into the file and what comes out.
        training: where the model comes from, free form.
        quality: what was measured of it, free form.
        pictures: how pictures became the training images (`gan_runtime.images.recorded`); empty if they were arrays.
        flops: floating-point operations of one image in convolutions and matrix products, two per multiplication and
            addition; of a network that takes images of any size, per pixel of its input. 0 if that is not known.
        precision: what the network computes in, if that is not fp32.
    """

    name: str
    task: str = ""
    training: dict[str, Any] = field(default_factory=dict)
    quality: list[dict[str, Any]] = field(default_factory=list)
    pictures: dict[str, Any] = field(default_factory=dict)
    flops: int = 0
    precision: Precision | None = field(default=None, metadata={"path": "precision", "kind": Precision})

    def __post_init__(self) -> None:
        for key, kind in {"name": str, "task": str, "training": dict, "quality": list, "pictures": dict}.items():
            check_type(key, getattr(self, key), kind)
        check_count("flops", self.flops, most=None, least=0)
        if not self.task:
            raise InputError("task: is empty")
        for entry in self.quality:
            check_type("an entry of quality", entry, dict)
        try:
            json.dumps([self.training, self.quality, self.pictures], allow_nan=False)
        except (TypeError, ValueError) as error:
            raise InputError(f"training, quality or pictures: cannot be written as JSON: {error}") from None


def _at(path: str, kind: type) -> dict[str, Any]:
    """Metadata of a field: its place in the JSON, and the type of the object there."""
    return {"path": path, "kind": kind}


@record(frozen=True, kw_only=True)
class _GeneratorManifest(Manifest):
    """A generator. It takes labels if it is class-conditional."""

    latents: Latents = field(metadata=_at("inputs.latents", Latents))
    labels: Labels | None = field(default=None, metadata=_at("inputs.labels", Labels))
    fingerprint: Fingerprint | None = field(default=None, metadata=_at("fingerprint", Fingerprint))


@record(frozen=True, kw_only=True)
class GenerateManifest(_GeneratorManifest):
    """A generator of images.

    Attributes:
        truncation, styles: of a generator whose latents become styles first; its graph gives those, too.
        noise: what it adds to its layers, if that is an input. Without it the graph adds noise that does not change.
        activations: values of the largest tensor between two layers, of one image; 0 if that is not known.
    """

    task: str = field(default="generate", init=False)
    activations: int = 0
    output: ImageSize = field(metadata=_at("output", ImageSize))
    truncation: Truncation | None = field(default=None, metadata=_at("inputs.truncation", Truncation))
    noise: Noise | None = field(default=None, metadata=_at("inputs.noise", Noise))
    styles: Styles | None = field(default=None, metadata=_at("styles", Styles))

    def __post_init__(self) -> None:
        super().__post_init__()
        check_count("activations", self.activations, least=0)
        if (self.truncation is None) != (self.styles is None):
            raise InputError("inputs.truncation and styles: a generator has both or neither")


@record(frozen=True, kw_only=True)
class PointsManifest(_GeneratorManifest):
    """A generator of points in the plane."""

    task: str = field(default="points", init=False)
    output: Points = field(metadata=_at("output", Points))


@record(frozen=True, kw_only=True)
class MapManifest(Manifest):
    """The part of a generator that makes styles of latents."""

    task: str = field(default="map", init=False)
    latents: Latents = field(metadata=_at("inputs.latents", Latents))
    labels: Labels | None = field(default=None, metadata=_at("inputs.labels", Labels))
    truncation: Truncation = field(metadata=_at("inputs.truncation", Truncation))
    styles: Styles = field(metadata=_at("output.styles", Styles))


@record(frozen=True, kw_only=True)
class SynthesizeManifest(Manifest):
    """The part of a generator that draws images from styles. `noise` and `activations` are as in `GenerateManifest`."""

    task: str = field(default="synthesize", init=False)
    activations: int = 0
    styles: Styles = field(metadata=_at("inputs.styles", Styles))
    noise: Noise | None = field(default=None, metadata=_at("inputs.noise", Noise))
    output: ImageSize = field(metadata=_at("output", ImageSize))

    def __post_init__(self) -> None:
        super().__post_init__()
        check_count("activations", self.activations, least=0)


@record(frozen=True, kw_only=True)
class EncodeManifest(Manifest):
    """An encoder. `latents` are those that its generator takes."""

    task: str = field(default="encode", init=False)
    images: ImageSize = field(metadata=_at("inputs.images", ImageSize))
    latents: Latents = field(metadata=_at("output.latents", Latents))


@record(frozen=True, kw_only=True)
class FeaturesManifest(Manifest):
    """A feature network. What it does not say of images and output, the graph says."""

    task: str = field(default="features", init=False)
    images: ImageAxes = field(default=ImageAxes(), metadata=_at("inputs.images", ImageAxes))
    output: Measures | None = field(default=None, metadata=_at("output", Measures))


@record(frozen=True, kw_only=True)
class ImageToImageManifest(Manifest):
    """A network from images to images.

    Attributes:
        source, output: the images that go in and come out.
        network: how the network is run on images of any size; None if height and width are fixed.
    """

    source: ImageAxes = field(metadata=_at("inputs.source", ImageAxes))
    output: ImageAxes = field(metadata=_at("output", ImageAxes))
    network: Tiling | None = field(default=None, metadata=_at("network", Tiling))
    fingerprint: Fingerprint | None = field(default=None, metadata=_at("fingerprint", Fingerprint))


@record(frozen=True, kw_only=True)
class TranslateManifest(ImageToImageManifest):
    """A translator: images to images of the same size. They have any height and width, or the same fixed ones.

    Attributes:
        prepared: how its inputs were made from pictures, a key of `gan_runtime.images.prepare.PREPARATIONS`, such as
            "sketch"; "" if they were pictures themselves.
        counterpart: the file of the opposite direction, if there is one.
    """

    task: str = field(default="translate", init=False)
    prepared: str = ""
    counterpart: Counterpart | None = field(default=None, metadata=_at("counterpart", Counterpart))

    def __post_init__(self) -> None:
        super().__post_init__()
        check_type("prepared", self.prepared, str)
        if None in (self.source.channels, self.output.channels):
            raise InputError("inputs.source and output: must say how many channels the images have")
        sides = self.source.height, self.source.width
        if sides != (self.output.height, self.output.width):
            raise InputError("inputs.source and output: must have the same height and width")
        if (sides.count(None), self.network is None) not in ((2, False), (0, True)):
            raise InputError("network: must be there if height and width may have any length, and only then")


CHANNEL_ORDERS = {1: "L", 3: "RGB"}  # by the number of channels


@record(frozen=True, kw_only=True)
class UpscaleManifest(ImageToImageManifest):
    """An upscaler: images of any height and width to images `scale` times as high and wide.

    Attributes:
        scale: 1 or more.
        channel_order: of both, a value of `CHANNEL_ORDERS`.
    """

    task: str = field(default="upscale", init=False)
    scale: int
    channel_order: str = "RGB"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_count("scale", self.scale)
        channels = {self.source.channels, self.output.channels}
        if channels not in [{number} for number, order in CHANNEL_ORDERS.items() if order == self.channel_order]:
            raise InputError(f"channel_order {self.channel_order!r:.60}: must be RGB for 3 channels, L for 1")
        if {self.source.height, self.source.width, self.output.height, self.output.width} != {None}:
            raise InputError("inputs.source and output: must have any height and width")
        if self.network is None:
            raise InputError("network: is missing")


MANIFESTS: dict[str, type[Manifest]] = {
    kind.task: kind
    for kind in (
        GenerateManifest,
        PointsManifest,
        MapManifest,
        SynthesizeManifest,
        EncodeManifest,
        FeaturesManifest,
        TranslateManifest,
        UpscaleManifest,
    )
}


def read_manifest(model: ModelFile) -> Manifest | None:
    """The manifest of `model`, of the class in `MANIFESTS`, or `Manifest` for another task; None if it has none.

    Raises:
        ModelError: the manifest is newer than this reader, or damaged.
    """
    text = model.metadata.get(METADATA_KEY)
    if text is None:
        return None
    try:
        document = json.loads(text)
        version = document["format_version"]
        check_count("format_version", version, most=None)
        if version <= FORMAT_VERSION:
            return _from_document(document)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        reason = f"{type(error).__name__}: {error}"
        reason = str(error) if isinstance(error, InputError) else reason
        reason = f"{error} is missing" if isinstance(error, KeyError) else reason
        raise ModelError(f"{model.path}: its manifest is damaged ({reason}); export the model again") from None
    raise ModelError(
        f"{model.path}: its manifest has format version {version}, this gan-edge reads up to {FORMAT_VERSION}; "
        "upgrade gan-edge on this host"
    )


def _from_document(document: dict[str, Any]) -> Manifest:
    check_type("inputs", document["inputs"], dict)
    kind = MANIFESTS.get(document["task"], Manifest)
    values = {"name": document["name"]}
    values |= {e.name: document[e.name] for e in plain_fields(kind) if e.name in document or _is_required(e)}
    if kind is Manifest:
        return Manifest(task=document["task"], **values)
    for entry in fields(kind):
        if entry.metadata and (found := _section(document, **entry.metadata, required=entry.default is MISSING)):
            values[entry.name] = found
    return kind(**values)


def plain_fields(kind: type[Manifest]) -> list[Field[Any]]:
    """The fields of `kind` that are values at the top level of the JSON under their own names."""
    return [entry for entry in fields(kind) if not entry.metadata and entry.name not in ("name", "task")]


def _is_required(entry: Field[Any]) -> bool:
    return entry.default is MISSING and entry.default_factory is MISSING


def _section(document: dict[str, Any], path: str, kind: Any, *, required: bool) -> Any:
    """The object at `path` as one of `kind`; None if it is optional and absent or empty."""
    for key in path.split("."):
        document = document[key] if required else document.get(key, {})
        check_type(path, document, dict)
    if not (required or document):
        return None
    if kind is Fingerprint:
        return Fingerprint.from_json(document)
    keys = [entry.name for entry in fields(kind) if entry.default is MISSING or entry.name in document]
    return kind(**{key: tuple(value) if isinstance(value := document[key], list) else value for key in keys})
