"""`load`: an exported file of any task, opened as the class of that task."""

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from gan_runtime.errors import InputError, ModelError
from gan_runtime.manifest import read_manifest
from gan_runtime.model_file import parse_model, read_model_file
from gan_runtime.models import SHIPPED, find_model

if TYPE_CHECKING:
    from gan_runtime.encoder import Encoder
    from gan_runtime.generator import Generator

CLASSES = {  # by task: module and class, imported when a file of the task is opened
    "generate": ("gan_runtime.generator", "Generator"),
    "points": ("gan_runtime.generator", "Generator"),
    "encode": ("gan_runtime.encoder", "Encoder"),
}


def load(source: str | Path | bytes, device: str = "auto", threads: int | None = None) -> "Generator | Encoder":
    """Open an exported file.

    >>> import gan_runtime
    >>> images = gan_runtime.load("mnist", device="cpu").sample(64, seed=1)  # uint8 [64, 28, 28, 1]

    Args:
        source: the path of an .onnx file, the name of a model that ships (`list_models`), or the bytes of a file.
        device: "cpu", "cuda", or "auto" for CUDA where it works and CPU elsewhere.
        threads: all processors that this process may use if None.

    Returns:
        A `Generator` for a file that draws images or points, or has no manifest; an `Encoder` for one that encodes.

    Raises:
        ModelError: the file is missing, damaged, unsafe, too new, or made for a task that has no such class.
        DeviceError: CUDA was asked for and cannot run the model.
        InputError: unknown device, a number of threads out of range, or a source of another kind.
    """
    if not isinstance(source, str | Path | bytes):
        raise InputError(f"source {type(source).__name__}: give a path, the name of a model, or the bytes of a file")
    if isinstance(source, bytes):
        model = parse_model(source, Path("model.onnx"))
    else:
        model = read_model_file(find_model(str(source)))
    manifest = read_manifest(model)
    task = manifest.task if manifest else "generate"
    if task not in CLASSES:
        raise ModelError(f"{model.path}: made for the task {task!r}; load opens files of {', '.join(CLASSES)}")
    module, name = CLASSES[task]
    opened: Generator | Encoder = getattr(import_module(module), name).open(model, device, threads)
    return opened


def list_models() -> tuple[str, ...]:
    """Names of the models that ship with gan-edge, as `load` takes them."""
    return SHIPPED
