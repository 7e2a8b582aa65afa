"""The manifest: what an exported file says of itself, as JSON in the model's metadata under the key "gan_edge".

Each task has a dataclass, and `MANIFESTS` is the table of them. Each of its fields has a place in the JSON and the type
of the object there; a field with a default may be absent. Other keys are ignored; newer format versions are refused by
name. Values are checked when an object is made, in Python and from a file alike.
"""

import base64
import json
import math
from dataclasses import MISSING, Field, asdict, dataclass, field, fields
from typing import Any

from gan_runtime.errors import InputError, ModelError
from gan_runtime.model_file import ModelFile

METADATA_KEY = "gan_edge"
FORMAT_VERSION = 1
MAX_FINGERPRINT_IMAGES = 1024
MAX_COUNT = 2**31
DISTRIBUTIONS = ("normal", "uniform")


@dataclass(frozen=True)
class Latents:
    """Latents, float32 [n, dim], distributed as N(0, 1) ("normal") or U(-1, 1) ("uniform")."""

    dim: int
    distribution: str

    def __post_init__(self) -> None:
        _check_count("latents.dim", self.dim)
        if self.distribution not in DISTRIBUTIONS:
            raise InputError(f"latents.distribution {self.distribution!r}: must be one of {', '.join(DISTRIBUTIONS)}")


@dataclass(frozen=True)
class Labels:
    """Labels, int64 [n] in 0 to classes - 1, and the names of the classes; () if they have none."""

    classes: int
    names: tuple[str, ...]

    def __post_init__(self) -> None:
        _check_count("labels.classes", self.classes)
        _check_names("labels", self.names, self.classes)


@dataclass(frozen=True)
class ImageAxes:
    """The images that a network takes, uint8 [n, height, width, channels]; None for an axis of any size."""

    height: int | None = None
    width: int | None = None
    channels: int | None = None

    def __post_init__(self) -> None:
        for entry in fields(self):
            if entry.default is MISSING or getattr(self, entry.name) is not None:
                _check_count(entry.name, getattr(self, entry.name))

    def takes(self, size: "ImageSize") -> bool:
        """Whether images of `size` fit."""
        return all(getattr(self, axis) in (None, length) for axis, length in asdict(size).items())

    def __str__(self) -> str:
        return " x ".join("any" if length is None else str(length) for length in asdict(self).values())


@dataclass(frozen=True)
class ImageSize(ImageAxes):
    """The size of images, uint8 [n, height, width, channels]."""

    height: int = field()
    width: int = field()
    channels: int = field()

    @property
    def shape(self) -> tuple[int, int, int]:
        """The shape of one image."""
        return self.height, self.width, self.channels


@dataclass(frozen=True)
class Points:
    """Points, float32 [n, coordinates] in [-extent, extent]."""

    coordinates: int
    extent: float

    def __post_init__(self) -> None:
        _check_count("coordinates", self.coordinates)
        _check_type("extent", self.extent, (int, float))
        if not 0 < self.extent < math.inf:
            raise InputError(f"extent {self.extent}: must be positive and finite")

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of one point."""
        return (self.coordinates,)


@dataclass(frozen=True)
class Measures:
    """Features, float32 [n, dim]; logits, float32 [n, classes], if there are classes, and the names of these or ()."""

    dim: int
    classes: int = 0
    names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        _check_count("output.dim", self.dim)
        _check_count("output.classes", self.classes, least=0)
        _check_names("output", self.names, self.classes)


@dataclass(frozen=True)
class Tiling:
    """What a network that takes images of any size needs in order to be run on a large one in tiles.

    Attributes:
        multiple: height and width of what the network is run on are multiples of it, and so are positions of tiles.
            The graph pads other images.
        least: the smallest height and width that the network is run on. The graph pads smaller images.
        context: pixels on each side that an output pixel depends on; None if it depends on the whole image.
        norm: the kind of normalisation, free form. "instance" takes its statistics from the image.
        tile, tile_psnr: if `context` is None, how far tiles were off when the file was exported: the PSNR in dB of
            square tiles of `tile` pixels against the whole, of an image of twice that side.
        near: if `context` is so large that tiles are nearly all overlap, a smaller one, from which tiles were at most
            one grey level from the whole along a seam when the file was exported; None if none was found or needed.
    """

    multiple: int = 1
    least: int = 1
    context: int | None = None
    norm: str = ""
    tile: int | None = None
    tile_psnr: float | None = None
    near: int | None = None

    def __post_init__(self) -> None:
        _check_count("network.multiple", self.multiple)
        _check_count("network.least", self.least)
        _check_type("network.norm", self.norm, str)
        for key, least in {"context": 0, "tile": 1, "near": 0}.items():
            if getattr(self, key) is not None:
                _check_count(f"network.{key}", getattr(self, key), least=least)
        if self.tile_psnr is not None:
            _check_type("network.tile_psnr", self.tile_psnr, (int, float))


@dataclass(frozen=True)
class Counterpart:
    """The file of the opposite direction, and the SHA-256 of the weights of both, the same in both files."""

    file: str
    weights: str

    def __post_init__(self) -> None:
        for key in ("file", "weights"):
            _check_type(f"counterpart.{key}", getattr(self, key), str)
        if not self.file or {"/", "\\"} & set(self.file):
            raise InputError(f"counterpart.file {self.file!r:.60}: must be the name of a file in the same folder")


@dataclass(frozen=True)
class Fingerprint:
    """Pixels that the exporting host saw, of the images 0 to count - 1 of `seed` (`evaluation/fingerprint.py`)."""

    seed: int
    count: int
    pixels: bytes = field(repr=False)

    def __post_init__(self) -> None:
        _check_count("fingerprint.seed", self.seed, 2**64 - 1, least=0)
        _check_count("fingerprint.count", self.count, MAX_FINGERPRINT_IMAGES)
        _check_type("fingerprint.pixels", self.pixels, bytes)
        if not self.pixels:
            raise InputError("fingerprint.pixels: is empty")

    @classmethod
    def from_json(cls, section: dict[str, Any]) -> "Fingerprint":
        """The fingerprint in a manifest. Raises InputError, ValueError, KeyError or TypeError if it is damaged."""
        return cls(section["seed"], section["count"], base64.b64decode(section["pixels"], validate=True))


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """What the manifests of all tasks have, and all that is read of a task that this version does not know.

    Attributes:
        name: the name of the model, for people.
        task: what goes into the file and what comes out.
        training: where the model comes from, free form.
        quality: what was measured of it, free form.
        pictures: how pictures became the training images (`gan_runtime.images.recorded`); empty if they were arrays.
    """

    name: str
    task: str = ""
    training: dict[str, Any] = field(default_factory=dict)
    quality: list[dict[str, Any]] = field(default_factory=list)
    pictures: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for key, kind in {"name": str, "task": str, "training": dict, "quality": list, "pictures": dict}.items():
            _check_type(key, getattr(self, key), kind)
        if not self.task:
            raise InputError("task: is empty")
        for entry in self.quality:
            _check_type("an entry of quality", entry, dict)
        try:
            json.dumps([self.training, self.quality, self.pictures], allow_nan=False)
        except (TypeError, ValueError) as error:
            raise InputError(f"training, quality or pictures: cannot be written as JSON: {error}") from None


def _at(path: str, kind: type) -> dict[str, Any]:
    """Metadata of a field: its place in the JSON, and the type of the object there."""
    return {"path": path, "kind": kind}


@dataclass(frozen=True, kw_only=True)
class _GeneratorManifest(Manifest):
    """A generator. It takes labels if it is class-conditional."""

    latents: Latents = field(metadata=_at("inputs.latents", Latents))
    labels: Labels | None = field(default=None, metadata=_at("inputs.labels", Labels))
    fingerprint: Fingerprint | None = field(default=None, metadata=_at("fingerprint", Fingerprint))


@dataclass(frozen=True, kw_only=True)
class GenerateManifest(_GeneratorManifest):
    """A generator of images."""

    task: str = field(default="generate", init=False)
    output: ImageSize = field(metadata=_at("output", ImageSize))


@dataclass(frozen=True, kw_only=True)
class PointsManifest(_GeneratorManifest):
    """A generator of points in the plane."""

    task: str = field(default="points", init=False)
    output: Points = field(metadata=_at("output", Points))


@dataclass(frozen=True, kw_only=True)
class EncodeManifest(Manifest):
    """An encoder. `latents` are those that its generator takes."""

    task: str = field(default="encode", init=False)
    images: ImageSize = field(metadata=_at("inputs.images", ImageSize))
    latents: Latents = field(metadata=_at("output.latents", Latents))


@dataclass(frozen=True, kw_only=True)
class FeaturesManifest(Manifest):
    """A feature network. What it does not say of images and output, the graph says."""

    task: str = field(default="features", init=False)
    images: ImageAxes = field(default=ImageAxes(), metadata=_at("inputs.images", ImageAxes))
    output: Measures | None = field(default=None, metadata=_at("output", Measures))


@dataclass(frozen=True, kw_only=True)
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


@dataclass(frozen=True, kw_only=True)
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
        _check_type("prepared", self.prepared, str)
        if None in (self.source.channels, self.output.channels):
            raise InputError("inputs.source and output: must say how many channels the images have")
        sides = self.source.height, self.source.width
        if sides != (self.output.height, self.output.width):
            raise InputError("inputs.source and output: must have the same height and width")
        if (sides.count(None), self.network is None) not in ((2, False), (0, True)):
            raise InputError("network: must be there if height and width may have any length, and only then")


CHANNEL_ORDERS = {1: "L", 3: "RGB"}  # by the number of channels


@dataclass(frozen=True, kw_only=True)
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
        _check_count("scale", self.scale)
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
        _check_count("format_version", version, most=None)
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
    _check_type("inputs", document["inputs"], dict)
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
        _check_type(path, document, dict)
    if not (required or document):
        return None
    if kind is Fingerprint:
        return Fingerprint.from_json(document)
    keys = [entry.name for entry in fields(kind) if entry.default is MISSING or entry.name in document]
    return kind(**{key: tuple(value) if isinstance(value := document[key], list) else value for key in keys})


def _check_names(what: str, names: tuple[str, ...], classes: int) -> None:
    _check_type(f"{what}.names", names, tuple)
    for name in names:
        _check_type(f"a name in {what}.names", name, str)
    if len(names) not in (0, classes):
        raise InputError(f"{what}.names: {len(names)} names for {classes} classes; give one for each class, or none")
    if len(set(names)) != len(names):
        raise InputError(f"{what}.names: two classes have the same name")


def _check_type(what: str, value: Any, kind: type | tuple[type, ...]) -> None:
    """Raise InputError if `value` is not of type `kind`. A bool is not accepted as a number."""
    kinds = kind if isinstance(kind, tuple) else (kind,)
    if not isinstance(value, kinds) or isinstance(value, bool):
        wanted = " or ".join(one.__name__ for one in kinds)
        raise InputError(f"{what} {value!r:.60}: must be of type {wanted}, not {type(value).__name__}")


def _check_count(what: str, value: Any, most: int | None = MAX_COUNT, least: int = 1) -> None:
    """Raise InputError if `value` is not an integer from `least` to `most`; None sets no upper limit."""
    _check_type(what, value, int)
    if value < least or (most is not None and value > most):
        raise InputError(f"{what} {value}: must be at least {least}{'' if most is None else f' and at most {most}'}")
