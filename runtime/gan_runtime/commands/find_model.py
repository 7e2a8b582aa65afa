"""Which file a command takes where none is named: the newest of its kind in ./exported."""

from pathlib import Path

from gan_runtime.encoder import SUFFIX, WITH_ENCODERS, Encoder, check_pair, encoder_path
from gan_runtime.errors import ModelError
from gan_runtime.model_file import ModelFile, read_model_file
from gan_runtime.models import DEFAULT, EXPORTED, SHIPPED, checkout, find_model, shipped_model
from gan_runtime.signature import is_generator


def default_model(folder: Path = Path(EXPORTED)) -> tuple[ModelFile, list[str]]:
    """The newest generator in `folder` that is not a shipped one, else the shipped default.

    Returns:
        The file, and remarks: which it is, and which newer ones were passed over.
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
            remarks.append(f"passed over: {error}")
    path = shipped_model(DEFAULT)
    return read_model_file(path), [*remarks, f"model: {path}, shipped with gan-edge"]


def find_encoder(name: str | None, folder: Path = Path(EXPORTED)) -> tuple[ModelFile, list[str]]:
    """The encoder called `name`: its own file, or that of its generator; the newest one in `folder` if None.

    Returns:
        The file, and remarks: which newer ones were passed over.

    Raises:
        ModelError: there is none, or the one beside a generator belongs to another.
    """
    if name is None:
        return _newest_encoder(folder)
    path = find_model(name)
    beside = encoder_path(path)
    if not beside.is_file():
        return read_model_file(path), []
    encoder = read_model_file(beside)
    check_pair(encoder, read_model_file(path))
    return encoder, []


def _newest_encoder(folder: Path) -> tuple[ModelFile, list[str]]:
    remarks: list[str] = []
    for path in newest_first(folder, f"*{SUFFIX}"):
        try:
            model = read_model_file(path)
            Encoder.manifest_of(model)
        except ModelError as error:
            remarks.append(f"passed over: {error}")
        else:
            return model, remarks
    raise ModelError(f"{folder}: has no encoder (*{SUFFIX}); export a run of {WITH_ENCODERS}, or name one with --model")


def newest_first(folder: Path, pattern: str) -> list[Path]:
    """The files of `folder` that fit `pattern`, the one that was written last first."""
    return sorted(folder.glob(pattern), key=_changed, reverse=True)


def _changed(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:  # a broken link, or removed a moment ago
        return 0
