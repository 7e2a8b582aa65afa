"""How a generator is fed and read: as its manifest says, or as its graph and its first images show."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gan_runtime.errors import ModelError
from gan_runtime.manifest import ImageSize, Labels, Latents, Manifest, Points, read_manifest
from gan_runtime.model_file import FLOAT, INT64, UINT8, ModelFile, Port
from gan_runtime.randomness import random_numbers

if TYPE_CHECKING:
    from gan_runtime.foreign.probe import Foreign

TASK, POINTS_TASK = "generate", "points"
OUTPUTS = {TASK: ("images", UINT8), POINTS_TASK: ("points", FLOAT)}  # of each task: name and type


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
    if manifest.task not in OUTPUTS:
        raise ModelError(f"{model.path}: made for the task {manifest.task!r}, not {TASK!r}; name a generator")
    inputs = {port.name: port for port in model.inputs}
    outputs = {port.name: port for port in model.outputs}
    expected = {"latents"} | ({"labels"} if manifest.labels else set())
    unknown = set(inputs) - {"latents", "labels"}
    if unknown:
        raise ModelError(
            f"{model.path}: needs the inputs {sorted(unknown)}, which this version does not know; upgrade gan-edge"
        )
    name, element = OUTPUTS[manifest.task]
    if isinstance(manifest.output, Points) != (manifest.task == POINTS_TASK):
        raise _contradiction(model, f"the output {manifest.output} of the task {manifest.task!r}")
    if not manifest.latents or not manifest.output or set(inputs) != expected or name not in outputs:
        raise _contradiction(model, f"inputs {sorted(inputs)}, outputs {sorted(outputs)}")
    latents, output = inputs["latents"], outputs[name]
    if (
        (latents.element, latents.shape[1:]) != (FLOAT, (manifest.latents.dim,))
        or ("labels" in inputs and inputs["labels"].element != INT64)
        or (output.element, output.shape[1:]) != (element, manifest.output.shape)
    ):
        raise _contradiction(model, f"{_shapes(model.inputs)} -> {_shapes(model.outputs)}")
    if model.random_ops:
        raise random_numbers(model)
    batch = latents.shape[0] if isinstance(latents.shape[0], int) else None
    return Roles(manifest.latents, manifest.labels, manifest.output, name, batch)


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
