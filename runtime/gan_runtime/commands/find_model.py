"""Which generator a command takes where none is named."""

from pathlib import Path

from gan_runtime.errors import ModelError
from gan_runtime.manifest import GenerateManifest, Manifest, PointsManifest, read_manifest
from gan_runtime.model_file import ModelFile, read_model_file
from gan_runtime.models import DEFAULT, EXPORTED, SHIPPED, checkout, shipped_model
from gan_runtime.signature import check_signature, check_task, generator_signature


def default_model(folder: Path = Path(EXPORTED)) -> tuple[ModelFile, list[str]]:
    """The newest generator in `folder` that is not a shipped one, else the shipped default.

    Returns:
        The file, and messages: which it is, and which newer files were skipped.
    """
    root = checkout()
    shipped = {root / EXPORTED / f"{name}.onnx" for name in SHIPPED} if root else set()
    remarks: list[str] = []
    for path in newest_first(folder, "*.onnx"):
        if path.resolve() in shipped:
            continue
        try:
            model = read_model_file(path)
            if model.external_data:
                raise ModelError(f"{path}: refers to data in other files")
            if is_generator(model):
                return model, [*remarks, f"model: {path}, the newest in {folder}"]
        except ModelError as error:
            remarks.append(f"skipped: {error}")
    path = shipped_model(DEFAULT)
    return read_model_file(path), [*remarks, f"model: {path}, shipped with gan-edge"]


def is_generator(model: ModelFile) -> bool:
    """Whether `model` is a usable generator.

    Raises:
        ModelError: its manifest is damaged or too new, or its graph draws random numbers.
    """
    manifest = read_manifest(model)
    try:
        if manifest is None:
            from gan_runtime.foreign.assumptions import Assumptions
            from gan_runtime.foreign.ports import choose_ports

            return choose_ports(model, Assumptions()) is not None
        return generator_signature(model, check_task(model, manifest, GenerateManifest, PointsManifest)) is not None
    except ModelError:
        if model.random_ops:
            raise
        return False


def newest_of(
    kind: type[Manifest], folder: Path = Path(EXPORTED), leave_out: str = "\0"
) -> tuple[ModelFile | None, list[str]]:
    """The newest file of a task in `folder`, without names that end in `leave_out`.

    Returns:
        The file or None, and messages on newer files that are damaged.
    """
    remarks: list[str] = []
    for path in newest_first(folder, "*.onnx"):
        if path.name.endswith(leave_out):
            continue
        try:
            model = read_model_file(path)
            manifest = read_manifest(model)
            if isinstance(manifest, kind):
                check_signature(model, manifest)
                return model, remarks
        except ModelError as error:
            remarks.append(f"skipped: {error}")
    return None, remarks


def newest_first(folder: Path, pattern: str) -> list[Path]:
    """The files of `folder` that fit `pattern`, the one that was written last first."""
    return sorted(folder.glob(pattern), key=_changed, reverse=True)


def _changed(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:  # a broken link, or removed a moment ago
        return 0
