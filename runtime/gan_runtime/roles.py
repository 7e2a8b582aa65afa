"""Which input and output of a graph means what: from the manifest, or from shapes where they leave no doubt."""

from dataclasses import dataclass

from gan_runtime.errors import GanEdgeError, ModelError
from gan_runtime.manifest import ImageSize, Labels, Latents, Manifest, Points, read_manifest
from gan_runtime.model_file import FLOAT, INT64, UINT8, ModelFile, Port

TASK, POINTS_TASK = "generate", "points"
OUTPUTS = {TASK: ("images", UINT8), POINTS_TASK: ("points", FLOAT)}  # of each task: name and type


@dataclass(frozen=True)
class Roles:
    """How to feed a generator and read its output. `output` is None while a foreign graph leaves its size open."""

    latents_port: Port
    output_port: Port
    latents: Latents
    labels: Labels | None
    output: ImageSize | Points | None
    assumed: str = ""

    @property
    def fixed_batch(self) -> int | None:
        """The only batch size that a foreign graph takes, if it has one."""
        axis = self.latents_port.shape[0]
        return axis if isinstance(axis, int) and axis > 0 else None

    @property
    def speaks_pixels(self) -> bool:
        """Whether images are uint8 [n, h, w, c]; otherwise they are float [n, c, h, w] in [-1, 1]."""
        return self.output_port.element == UINT8


def generator_roles(model: ModelFile, manifest: Manifest | None) -> Roles:
    """The roles in `model`, whose manifest is `manifest`.

    Raises:
        ModelError: the file is no generator, contradicts its manifest, or leaves its roles open.
    """
    if manifest is None:
        return _guess(model)
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
    roles = Roles(inputs["latents"], outputs[name], manifest.latents, manifest.labels, manifest.output)
    if (
        (roles.latents_port.element, roles.latents_port.shape[1:]) != (FLOAT, (manifest.latents.dim,))
        or ("labels" in inputs and inputs["labels"].element != INT64)
        or (roles.output_port.element, roles.output_port.shape[1:]) != (element, manifest.output.shape)
    ):
        raise _contradiction(model, f"{model.inputs} -> {model.outputs}")
    return roles


def is_generator(model: ModelFile) -> bool:
    """Whether `model` is a usable generator. Raises ModelError where its manifest is damaged or too new."""
    manifest = read_manifest(model)
    try:
        return generator_roles(model, manifest) is not None
    except GanEdgeError:
        return False


def _guess(model: ModelFile) -> Roles:
    """Roles of a file without a manifest: one float input [n, d] or [n, d, 1, 1], one float output [n, c, h, w]."""
    plain = len(model.inputs) == 1 and len(model.outputs) == 1
    if plain:
        latents, images = model.inputs[0], model.outputs[0]
        shape = latents.shape
        plain = (
            latents.element == images.element == FLOAT
            and (len(shape) == 2 or (len(shape) == 4 and shape[2:] == (1, 1)))
            and isinstance(shape[1], int)
            and shape[1] > 0
            and len(images.shape) == 4
            and (images.shape[1] in (1, 3) or isinstance(images.shape[1], str))
        )
    if not plain:
        raise ModelError(
            f"{model.path}: not made by gan-export, and its graph does not show how to use it (one float input [n, d] "
            "or [n, d, 1, 1] and one float output [n, 1 or 3, h, w] would); export the network with gan-export"
        )
    dim = int(latents.shape[1])
    channels, height, width = images.shape[1:]
    size = None
    if isinstance(channels, int) and isinstance(height, int) and isinstance(width, int):
        size = ImageSize(height, width, channels)
    assumed = (
        f"no manifest: taking {latents.name!r} for {dim} latents from N(0, 1), {images.name!r} for images in [-1, 1]"
    )
    return Roles(latents, images, Latents(dim), None, size, assumed)


def _contradiction(model: ModelFile, found: str) -> ModelError:
    return ModelError(f"{model.path}: its graph and its manifest do not agree (found {found}); export it again")
