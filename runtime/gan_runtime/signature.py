"""The inputs and outputs of each task, and how a generator is fed and read.

`SIGNATURES` is the contract between an exported file and its readers: a new task is a new row.
"""

from dataclasses import field, replace
from typing import Any, TypeVar

from gan_runtime.errors import ModelError
from gan_runtime.manifest import (
    EncodeManifest,
    FeaturesManifest,
    GenerateManifest,
    ImageSize,
    Labels,
    Latents,
    Manifest,
    MapManifest,
    Points,
    PointsManifest,
    SynthesizeManifest,
    TranslateManifest,
    UpscaleManifest,
    read_manifest,
)
from gan_runtime.model_file import FLOAT, INT64, UINT8, ModelFile, Port, check_repeatable
from gan_runtime.records import record

M = TypeVar("M", bound=Manifest)
N = TypeVar("N", bound=Manifest)


@record(frozen=True)
class Tensor:
    """An input or output of a graph.

    Attributes:
        element: its element type.
        field: the field of the manifest that describes it.
        axes: the attributes of that field with the lengths of its axes after the first, which is n. An axis whose
            length there is None, or whose name here is "", may have any size.
        optional: whether the graph has it only if the manifest describes it: no length there is 0.
        initialized: whether it is an input that an initializer gives a value, so that it need not be given.
    """

    element: int
    field: str
    axes: tuple[str, ...]
    optional: bool = False
    initialized: bool = False

    def lengths(self, manifest: Manifest) -> tuple[int | None, ...]:
        """The lengths of the axes after the first, None for any."""
        described = getattr(manifest, self.field)
        return tuple(getattr(described, axis) if axis else None for axis in self.axes)

    def expected(self, manifest: Manifest) -> bool:
        """Whether the graph must have it."""
        return not self.optional or (getattr(manifest, self.field) is not None and 0 not in self.lengths(manifest))

    def fits(self, port: Port, manifest: Manifest) -> bool:
        """Whether the element type and the axes of `port` are those of `manifest`."""
        lengths, axes = self.lengths(manifest), port.shape[1:]
        return (port.element, len(axes)) == (self.element, len(lengths)) and all(
            length in (None, axis) for axis, length in zip(axes, lengths, strict=True)
        )


@record(frozen=True)
class Signature:
    """The inputs and outputs of a task. The graph may have more outputs, but no other inputs."""

    inputs: dict[str, Tensor]
    outputs: dict[str, Tensor]
    advice: str
    """What to do if a file of another task was given, for the error message."""
    command: str = ""
    """What runs files of this task on a command line, if there is anything."""


_SIZE = ("height", "width", "channels")
_LATENTS = Tensor(FLOAT, "latents", ("dim",))
_STYLES = Tensor(FLOAT, "styles", ("layers", "dim"))
_LABELS = Tensor(INT64, "labels", (), optional=True)
_TRUNCATION = {"truncation": Tensor(FLOAT, "truncation", (), optional=True, initialized=True)}
_NOISE = {"noise": Tensor(FLOAT, "noise", ("dim",), optional=True, initialized=True)}
_DRAWN = {"latents": _LATENTS, "labels": _LABELS}
_IMAGES = {"images": Tensor(UINT8, "images", _SIZE)}
_FEATURES = {
    "features": Tensor(FLOAT, "output", ("dim",)),
    "logits": Tensor(FLOAT, "output", ("classes",), optional=True),
}
_SOURCE, _RESULT = {"source": Tensor(UINT8, "source", _SIZE)}, {"images": Tensor(UINT8, "output", _SIZE)}
_POINTS = {"points": Tensor(FLOAT, "output", ("coordinates",))}
_PART = "name a part of a generator, which gan-export writes with --parts"
_ENCODER = "name an encoder, which gan-export writes for bigan and vae"
_UPSCALER = "name an upscaler, which gan-export writes for sr and esrgan"
_TRANSLATOR = "name a translator, which gan-export writes for pix2pix and cyclegan"
SIGNATURES: dict[str, Signature] = {
    GenerateManifest.task: Signature(
        _DRAWN | _TRUNCATION | _NOISE,
        _RESULT | {"styles": replace(_STYLES, optional=True)},
        "name a generator",
        "gan-sample",
    ),
    PointsManifest.task: Signature(_DRAWN, _POINTS, "name a generator", "gan-sample"),
    MapManifest.task: Signature(_DRAWN | _TRUNCATION, {"styles": _STYLES}, _PART),
    SynthesizeManifest.task: Signature({"styles": _STYLES} | _NOISE, _RESULT, _PART),
    EncodeManifest.task: Signature(_IMAGES, {"latents": _LATENTS}, _ENCODER, "gan-encode"),
    FeaturesManifest.task: Signature(_IMAGES, _FEATURES, "name a feature network", "gan-eval --features"),
    TranslateManifest.task: Signature(_SOURCE, _RESULT, _TRANSLATOR, "gan-translate"),
    UpscaleManifest.task: Signature(_SOURCE, _RESULT, _UPSCALER, "gan-upscale"),
}


def check_task(model: ModelFile, manifest: Manifest | None, kind: type[M], *others: type[N]) -> M | N:
    """`manifest`, which must be of one of these kinds. Raises ModelError if `model` is made for another task."""
    if isinstance(manifest, kind):
        return manifest
    if isinstance(manifest, others):
        return manifest
    made = f"made for the task {manifest.task!r}, not {kind.task!r}" if manifest else "has no manifest"
    theirs = SIGNATURES.get(manifest.task) if manifest else None
    other = f"run it with {theirs.command}, or " if theirs and theirs.command else ""
    raise ModelError(f"{model.path}: {made}; {other}{SIGNATURES[kind.task].advice}")


def manifest_as(model: ModelFile, kind: type[M]) -> M:
    """The manifest in `model`, of this kind. Raises ModelError where `model` is none, or contradicts its manifest."""
    manifest: M = check_task(model, read_manifest(model), kind)
    check_signature(model, manifest)
    return manifest


def check_signature(model: ModelFile, manifest: Manifest) -> None:
    """Raise ModelError if the graph of `model` does not have the inputs and outputs of `manifest`."""
    signature = SIGNATURES[manifest.task]
    groups = {
        "inputs": (_expected(signature.inputs, manifest, initialized=False), model.inputs),
        "optional inputs": (_expected(signature.inputs, manifest, initialized=True), model.optional),
        "outputs": (_expected(signature.outputs, manifest, initialized=False), model.outputs),
    }
    unknown = {port.name for port in model.inputs} - set(signature.inputs)
    if unknown:
        raise ModelError(
            f"{model.path}: needs the inputs {sorted(unknown)}, which this version does not know; upgrade gan-edge"
        )
    if {port.name for port in model.inputs} != set(groups["inputs"][0]):
        raise _contradiction(model, f"inputs {sorted(port.name for port in model.inputs)}")
    for kind, (expected, there) in groups.items():
        ports = {port.name: port for port in there}
        if not set(expected) <= set(ports):
            raise _contradiction(model, f"{kind} {sorted(ports)}")
        if not all(tensor.fits(ports[name], manifest) for name, tensor in expected.items()):
            raise _contradiction(model, f"{kind} {_shapes(there)}")


def _expected(tensors: dict[str, Tensor], manifest: Manifest, *, initialized: bool) -> dict[str, Tensor]:
    """Those of `tensors` that the graph must have."""
    return {
        name: tensor
        for name, tensor in tensors.items()
        if tensor.initialized == initialized and tensor.expected(manifest)
    }


@record(frozen=True, kw_only=True)
class DrawnSignature:
    """How to feed a file that draws images or points and read its output."""

    output: ImageSize | Points
    output_name: str
    fixed_batch: int | None = None
    """The batch size of the graph; None if it takes any."""

    def feeds(self, rows: dict[str, Any]) -> dict[str, Any]:
        """The inputs of the graph for rows by the names that files with a manifest have."""
        return rows

    def read(self, output: Any) -> Any:
        """The output as images uint8 [n, h, w, c], or points."""
        return output


@record(frozen=True, kw_only=True)
class GeneratorSignature(DrawnSignature):
    """How to feed a generator and read its output."""

    latents: Latents
    labels: Labels | None
    assumed: str = ""
    """What is assumed of a file without a manifest, as text; "" for a file with one."""
    read_as: dict[str, Any] = field(default_factory=dict)
    """The same by input and output, for JSON; empty for a file with a manifest."""

    def report(self) -> dict[str, Any]:
        """Both for the report of a command; empty for a file with a manifest."""
        return {"assumed": [self.assumed], "read_as": self.read_as} if self.assumed else {}


def generator_signature(model: ModelFile, manifest: GenerateManifest | PointsManifest) -> GeneratorSignature:
    """How to feed the generator `model`, whose manifest is `manifest`, and read its output.

    Raises:
        ModelError: the file contradicts its manifest, or draws random numbers.
    """
    check_signature(model, manifest)
    check_repeatable(model)
    drawn = drawn_signature(model, manifest)
    return GeneratorSignature(**vars(drawn), latents=manifest.latents, labels=manifest.labels)


def drawn_signature(
    model: ModelFile, manifest: GenerateManifest | PointsManifest | SynthesizeManifest
) -> DrawnSignature:
    """How to read the output of `model`, whose manifest is `manifest`."""
    signature = SIGNATURES[manifest.task]
    first = next(iter(signature.inputs))
    batch = next(port.shape[0] for port in model.inputs if port.name == first)
    return DrawnSignature(
        output=manifest.output,
        output_name=next(iter(signature.outputs)),
        fixed_batch=batch if isinstance(batch, int) else None,
    )


def _shapes(ports: tuple[Port, ...]) -> str:
    return ", ".join(f"{port.name} {list(port.shape)} of type {port.element}" for port in ports)


def _contradiction(model: ModelFile, found: str) -> ModelError:
    return ModelError(f"{model.path}: its graph and its manifest do not agree (found {found}); export it again")
