"""The parts of a manifest: what it says of inputs, outputs and the network, each a frozen dataclass.

Values are checked when an object is made, in Python and from a file alike: InputError names the value.
"""

import base64
import math
from dataclasses import MISSING, asdict, field, fields
from typing import Any

from gan_runtime.errors import InputError
from gan_runtime.records import record

MAX_FINGERPRINT_IMAGES = 1024
MAX_COUNT = 2**31
DISTRIBUTIONS = ("normal", "uniform")
LEAST_TRUNCATION, MOST_TRUNCATION = -1.0, 2.0


@record(frozen=True)
class Latents:
    """Latents, float32 [n, dim], distributed as N(0, 1) ("normal") or U(-1, 1) ("uniform")."""

    dim: int
    distribution: str

    def __post_init__(self) -> None:
        check_count("latents.dim", self.dim)
        if self.distribution not in DISTRIBUTIONS:
            raise InputError(f"latents.distribution {self.distribution!r}: must be one of {', '.join(DISTRIBUTIONS)}")


@record(frozen=True)
class Labels:
    """Labels, int64 [n] in 0 to classes - 1, and the names of the classes; () if they have none."""

    classes: int
    names: tuple[str, ...]

    def __post_init__(self) -> None:
        check_count("labels.classes", self.classes)
        check_names("labels", self.names, self.classes)


@record(frozen=True)
class ImageAxes:
    """The images that a network takes, uint8 [n, height, width, channels]; None for an axis of any size."""

    height: int | None = None
    width: int | None = None
    channels: int | None = None

    def __post_init__(self) -> None:
        for entry in fields(self):
            if entry.default is MISSING or getattr(self, entry.name) is not None:
                check_count(entry.name, getattr(self, entry.name))

    def takes(self, size: "ImageSize") -> bool:
        """Whether images of `size` fit."""
        return all(getattr(self, axis) in (None, length) for axis, length in asdict(size).items())

    def __str__(self) -> str:
        return " x ".join("any" if length is None else str(length) for length in asdict(self).values())


@record(frozen=True)
class ImageSize(ImageAxes):
    """The size of images, uint8 [n, height, width, channels]."""

    height: int = field()
    width: int = field()
    channels: int = field()

    @property
    def shape(self) -> tuple[int, int, int]:
        """The shape of one image."""
        return self.height, self.width, self.channels


@record(frozen=True)
class Points:
    """Points, float32 [n, coordinates] in [-extent, extent]."""

    coordinates: int
    extent: float

    def __post_init__(self) -> None:
        check_count("coordinates", self.coordinates)
        check_type("extent", self.extent, (int, float))
        if not 0 < self.extent < math.inf:
            raise InputError(f"extent {self.extent}: must be positive and finite")

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of one point."""
        return (self.coordinates,)


@record(frozen=True)
class Measures:
    """Features, float32 [n, dim]; logits, float32 [n, classes], if there are classes, and the names of these or ()."""

    dim: int
    classes: int = 0
    names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        check_count("output.dim", self.dim)
        check_count("output.classes", self.classes, least=0)
        check_names("output", self.names, self.classes)


@record(frozen=True)
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
        check_count("network.multiple", self.multiple)
        check_count("network.least", self.least)
        check_type("network.norm", self.norm, str)
        for key, least in {"context": 0, "tile": 1, "near": 0}.items():
            if getattr(self, key) is not None:
                check_count(f"network.{key}", getattr(self, key), least=least)
        if self.tile_psnr is not None:
            check_type("network.tile_psnr", self.tile_psnr, (int, float))


@record(frozen=True)
class Truncation:
    """How far styles are moved from their mean: mean + t (style - mean), and the t that applies if none is given.

    1 leaves them as they are; smaller values give more typical and less varied images (Karras et al. 2019, appendix B).
    """

    default: float = 1.0

    def __post_init__(self) -> None:
        check_type("truncation.default", self.default, (int, float))
        check_truncation("truncation.default", self.default)


def check_truncation(what: str, value: float) -> None:
    """Raise InputError if a truncation is out of range."""
    if not LEAST_TRUNCATION <= value <= MOST_TRUNCATION:
        raise InputError(
            f"{what} {value:g}: must be from {LEAST_TRUNCATION:g} to {MOST_TRUNCATION:g}; 1 changes nothing"
        )


@record(frozen=True)
class Noise:
    """Noise that a generator adds to its layers, float32 [n, dim], distributed as N(0, 1)."""

    dim: int

    def __post_init__(self) -> None:
        check_count("noise.dim", self.dim)


@record(frozen=True)
class Styles:
    """Styles, float32 [n, layers, dim]: what a mapping network gives and each layer of a synthesis network takes."""

    layers: int
    dim: int

    def __post_init__(self) -> None:
        check_count("styles.layers", self.layers)
        check_count("styles.dim", self.dim)


@record(frozen=True)
class Counterpart:
    """The file of the opposite direction, and the SHA-256 of the weights of both, the same in both files."""

    file: str
    weights: str

    def __post_init__(self) -> None:
        for key in ("file", "weights"):
            check_type(f"counterpart.{key}", getattr(self, key), str)
        if not self.file or {"/", "\\"} & set(self.file):
            raise InputError(f"counterpart.file {self.file!r:.60}: must be the name of a file in the same folder")


@record(frozen=True)
class Precision:
    """The numbers that most of a network computes in, if not fp32, and what that costs.

    Attributes:
        name: "int8" or "fp16", free form.
        metric: what was measured of the file, a key of `gan_runtime.evaluation.table.METRICS`, such as "fid".
        before, after: its values, of the file in fp32 and of this one.
        n: the number of samples that were measured.
        bytes: the size of the file in fp32.
    """

    name: str
    metric: str
    before: float
    after: float
    n: int
    bytes: int

    def __post_init__(self) -> None:
        for key in ("name", "metric"):
            check_type(f"precision.{key}", getattr(self, key), str)
        for key in ("before", "after"):
            check_type(f"precision.{key}", getattr(self, key), (int, float))
        for key in ("n", "bytes"):
            check_count(f"precision.{key}", getattr(self, key))


@record(frozen=True)
class Fingerprint:
    """Pixels that the exporting host saw, of the images 0 to count - 1 of `seed` (`evaluation/fingerprint.py`).

    Other hosts and devices may differ from them by `tolerance` grey levels.
    """

    seed: int
    count: int
    pixels: bytes = field(repr=False)
    tolerance: int = 1

    def __post_init__(self) -> None:
        check_count("fingerprint.tolerance", self.tolerance, 255)
        check_count("fingerprint.seed", self.seed, 2**64 - 1, least=0)
        check_count("fingerprint.count", self.count, MAX_FINGERPRINT_IMAGES)
        check_type("fingerprint.pixels", self.pixels, bytes)
        if not self.pixels:
            raise InputError("fingerprint.pixels: is empty")

    @classmethod
    def from_json(cls, section: dict[str, Any]) -> "Fingerprint":
        """The fingerprint in a manifest. Raises InputError, ValueError, KeyError or TypeError if it is damaged."""
        pixels = base64.b64decode(section["pixels"], validate=True)
        return cls(section["seed"], section["count"], pixels, section.get("tolerance", cls.tolerance))


def check_names(what: str, names: tuple[str, ...], classes: int) -> None:
    """Raise InputError if `names` are not different texts, one for each class or none."""
    check_type(f"{what}.names", names, tuple)
    for name in names:
        check_type(f"a name in {what}.names", name, str)
    if len(names) not in (0, classes):
        raise InputError(f"{what}.names: {len(names)} names for {classes} classes; give one for each class, or none")
    if len(set(names)) != len(names):
        raise InputError(f"{what}.names: two classes have the same name")


def check_type(what: str, value: Any, kind: type | tuple[type, ...]) -> None:
    """Raise InputError if `value` is not of type `kind`. A bool is not accepted as a number."""
    kinds = kind if isinstance(kind, tuple) else (kind,)
    if not isinstance(value, kinds) or isinstance(value, bool):
        wanted = " or ".join(one.__name__ for one in kinds)
        raise InputError(f"{what} {value!r:.60}: must be of type {wanted}, not {type(value).__name__}")


def check_count(what: str, value: Any, most: int | None = MAX_COUNT, least: int = 1) -> None:
    """Raise InputError if `value` is not an integer from `least` to `most`; None sets no upper limit."""
    check_type(what, value, int)
    if value < least or (most is not None and value > most):
        raise InputError(f"{what} {value}: must be at least {least}{'' if most is None else f' and at most {most}'}")
