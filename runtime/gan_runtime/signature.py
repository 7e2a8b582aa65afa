"""The inputs and outputs of each task, and how a generator is fed and read.

`TASKS` is the contract between an exported file and its readers: a new task is a new row.
"""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from gan_runtime.errors import ModelError
from gan_runtime.manifest import ImageSize, Labels, Latents, Manifest, Points, read_manifest
from gan_runtime.model_file import FLOAT, INT64, UINT8, ModelFile, Port
from gan_runtime.randomness import random_numbers

if TYPE_CHECKING:
    from gan_runtime.foreign.probe import Foreign

TASK, POINTS_TASK, ENCODE_TASK, FEATURES_TASK = "generate", "points", "encode", "features"


@dataclass(frozen=True)
class Tensor:
    """An input or output of a graph: its element type, and which field of the manifest holds which of its axes.

    The first axis is always n, and is not listed.
    """

    element: int
    field: str
    axes: tuple[str, ...]

    def fits(self, port: Port, manifest: Manifest) -> bool:
        """Whether the element type and the axes of `port` are those of `manifest`."""
        described = getattr(manifest, self.field)
        return (port.element, port.shape[1:]) == (self.element, tuple(getattr(described, a, None) for a in self.axes))


@dataclass(frozen=True)
class Task:
    """The signature of a task. The graph may have more outputs, but no other inputs."""

    advice: str
    """Which file to name where one of another task is given."""
    inputs: dict[str, Tensor]
    outputs: dict[str, Tensor]
    optional: dict[str, Tensor] = field(default_factory=dict)
    """Inputs that the graph has where the manifest describes them."""


_IMAGE = ("height", "width", "channels")
_LATENTS = {"latents": Tensor(FLOAT, "latents", ("dim",))}
_LABELS = {"labels": Tensor(INT64, "labels", ())}
_SOURCE = {"images": Tensor(UINT8, "images", _IMAGE)}
TASKS = {
    TASK: Task("name a generator", _LATENTS, {"images": Tensor(UINT8, "output", _IMAGE)}, _LABELS),
    POINTS_TASK: Task("name a generator", _LATENTS, {"points": Tensor(FLOAT, "output", ("coordinates",))}, _LABELS),
    ENCODE_TASK: Task(
        "name an encoder, which gan-export writes for bigan and vae",
        _SOURCE,
        {"latents": Tensor(FLOAT, "codes", ("dim",))},
    ),
    FEATURES_TASK: Task(
        "name a feature network",
        _SOURCE,
        {"features": Tensor(FLOAT, "measures", ("dim",)), "logits": Tensor(FLOAT, "measures", ("classes",))},
    ),
}


def check_task(model: ModelFile, manifest: Manifest | None, *tasks: str) -> None:
    """Raise ModelError where `model` is made for none of `tasks`."""
    if manifest is None or manifest.task not in tasks:
        made = f"made for the task {manifest.task!r}, not {tasks[0]!r}" if manifest else "has no manifest"
        raise ModelError(f"{model.path}: {made}; {TASKS[tasks[0]].advice}")


def check_signature(model: ModelFile, manifest: Manifest) -> None:
    """Raise ModelError where the graph of `model` is not what `TASKS` and `manifest` say."""
    task = TASKS[manifest.task]
    inputs = {port.name: port for port in model.inputs}
    outputs = {port.name: port for port in model.outputs}
    unknown = set(inputs) - set(task.inputs) - set(task.optional)
    if unknown:
        raise ModelError(
            f"{model.path}: needs the inputs {sorted(unknown)}, which this version does not know; upgrade gan-edge"
        )
    given = {name: tensor for name, tensor in task.optional.items() if getattr(manifest, tensor.field)}
    expected = task.inputs | given
    if set(inputs) != set(expected) or not set(task.outputs) <= set(outputs):
        raise _contradiction(model, f"inputs {sorted(inputs)}, outputs {sorted(outputs)}")
    pairs = [(tensor, inputs[name]) for name, tensor in expected.items()]
    pairs += [(tensor, outputs[name]) for name, tensor in task.outputs.items()]
    if not all(tensor.fits(port, manifest) for tensor, port in pairs):
        raise _contradiction(model, f"{_shapes(model.inputs)} -> {_shapes(model.outputs)}")


@dataclass(frozen=True)
class Roles:
    """How to feed a generator and read its output."""

    latents: Latents
    labels: Labels | None
    output: ImageSize | Points
    output_name: str
    fixed_batch: int | None = None
    """The only batch size that the graph takes, if it has one."""
    foreign: "Foreign | None" = None
    """What is assumed of a file without a manifest."""

    @property
    def assumed(self) -> str:
        """What is assumed of a file without a manifest, for people; "" where the manifest says everything."""
        return self.foreign.remark() if self.foreign else ""

    def report(self) -> dict[str, Any]:
        """The same for --json: in words, and as the roles that were given; nothing where nothing was assumed."""
        return {"assumed": [self.assumed], "read_as": self.foreign.report()} if self.foreign else {}

    def feeds(self, z: Any, y: Any) -> dict[str, Any]:
        """The inputs of the graph for latents float32 [n, d] and labels int64 [n], None for an unconditional one."""
        if self.foreign:
            return self.foreign.ports.feeds(z, y)
        return {"latents": z} if y is None else {"latents": z, "labels": y}

    def read(self, output: Any) -> Any:
        """What the graph gives as uint8 [n, h, w, c], or points. Raises ModelError where it is not finite."""
        return self.foreign.pixels(output) if self.foreign else output


def generator_roles(model: ModelFile, manifest: Manifest) -> Roles:
    """The roles in `model`, whose manifest is `manifest`.

    Raises:
        ModelError: the file is no generator, contradicts its manifest, or draws random numbers.
    """
    check_task(model, manifest, TASK, POINTS_TASK)
    check_signature(model, manifest)
    assert manifest.latents
    assert isinstance(manifest.output, ImageSize | Points)
    if model.random_ops:
        raise random_numbers(model)
    (output,) = TASKS[manifest.task].outputs
    batch = next(port.shape[0] for port in model.inputs if port.name == "latents")
    fixed = batch if isinstance(batch, int) else None
    return Roles(manifest.latents, manifest.labels, manifest.output, output, fixed)


def is_generator(model: ModelFile) -> bool:
    """Whether `model` is a usable generator.

    Raises:
        ModelError: its manifest is damaged or too new, or its graph draws random numbers.
    """
    manifest = read_manifest(model)
    try:
        if manifest is None:
            from gan_runtime.foreign.assumptions import Assumptions  # noqa: PLC0415
            from gan_runtime.foreign.ports import choose_ports  # noqa: PLC0415  (files of ours do without)

            return choose_ports(model, Assumptions()) is not None
        return generator_roles(model, manifest) is not None
    except ModelError:
        if model.random_ops:
            raise
        return False


def _shapes(ports: tuple[Port, ...]) -> str:
    return ", ".join(f"{port.name} {list(port.shape)} of type {port.element}" for port in ports)


def _contradiction(model: ModelFile, found: str) -> ModelError:
    return ModelError(f"{model.path}: its graph and its manifest do not agree (found {found}); export it again")
