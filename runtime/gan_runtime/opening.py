"""`load`: an exported file of any task, opened as the class of that task."""

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gan_runtime.errors import InputError, ModelError
from gan_runtime.manifest import read_manifest
from gan_runtime.model_file import ModelFile, parse_model, read_model_file
from gan_runtime.models import SHIPPED, find_model
from gan_runtime.onnx_runtime import Providers

if TYPE_CHECKING:
    from gan_runtime.generator import Generator

BYTES = Path("<bytes>")  # names a model that was opened from bytes
CLASSES = {  # by task: module and class, imported when a file of the task is opened
    "generate": ("gan_runtime.generator", "Generator"),
    "points": ("gan_runtime.generator", "Generator"),
    "map": ("gan_runtime.parts", "Mapping"),
    "synthesize": ("gan_runtime.parts", "Synthesis"),
    "encode": ("gan_runtime.encoder", "Encoder"),
    "features": ("gan_runtime.evaluation.features", "FeatureNetwork"),
    "translate": ("gan_runtime.image_to_image.translator", "Translator"),
    "upscale": ("gan_runtime.image_to_image.upscaler", "Upscaler"),
}


def load(
    source: str | Path | bytes, device: str = "auto", threads: int | None = None, providers: Providers | None = None
) -> "Generator | Any":
    """Open an exported file.

    >>> import gan_runtime
    >>> with gan_runtime.load("mnist", device="auto") as generator:
    ...     images = generator.sample(64, seed=1)  # uint8 [64, 28, 28, 1]

    Args:
        source: the path of an .onnx file, the name of a model that ships (`list_models`), or the bytes of a file.
        device: "cpu", "cuda", "cuda:1" for one of several GPUs, or "auto" for CUDA where it works and CPU elsewhere.
        threads: all processors that this process may use if None.
        providers: execution providers of ONNX Runtime in place of `device`: names, or pairs of a name and a dict of
            options, the preferred one first.

    Returns:
        A `Generator` for a file that draws images or points, or has no manifest; of its parts, a `Mapping` for the one
        that gives styles and a `Synthesis` for the one that draws them (`gan_runtime.parts`); an `Encoder` for one that
        gives latents of images; a `Translator` for one that gives images of images, an `Upscaler` if they are larger;
        a `gan_runtime.evaluation.features.FeatureNetwork` for one that gives features of images.

    Raises:
        ModelError: the file is missing, damaged, unsafe, too new, or made for a task that this version does not know.
        DeviceError: the device or a provider was asked for and cannot run the model.
        InputError: unknown device, both device and providers, a number of threads out of range, or a source of another
            kind.
    """
    if isinstance(source, bytes | bytearray | memoryview):
        model = parse_model(bytes(source), BYTES)
    elif isinstance(source, str | Path):
        model = read_model_file(find_model(str(source)))
    else:
        raise InputError(f"source {type(source).__name__}: give a path, the name of a model, or the bytes of a file")
    return open_model(model, device, threads, providers)


def open_model(
    model: ModelFile, device: str = "auto", threads: int | None = None, providers: Providers | None = None
) -> Any:
    """As `load`, for a file that has been read already."""
    manifest = read_manifest(model)
    task = manifest.task if manifest else "generate"
    if task not in CLASSES:
        raise ModelError(f"{model.path}: made for the task {task!r}; load opens files of {', '.join(CLASSES)}")
    module, name = CLASSES[task]
    return getattr(import_module(module), name).open(model, device, threads, providers=providers)


def list_models() -> tuple[str, ...]:
    """Names of the models that ship with gan-edge, as `load` takes them."""
    return SHIPPED
