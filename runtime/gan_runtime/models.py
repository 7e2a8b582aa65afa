"""Find the models that ship with the project, and the newest one of one's own."""

from pathlib import Path

from gan_runtime.errors import ModelError
from gan_runtime.model_file import ModelFile, read_model_file
from gan_runtime.signature import is_generator

EXPORTED = "exported"
DEFAULT = "mnist"
SHIPPED = (DEFAULT, "fashion-mnist")

_PACKAGE = Path(__file__).resolve().parent


def checkout() -> Path | None:
    """Root of the source tree that this package is run from; None for an installed wheel."""
    root = _PACKAGE.parents[1]
    return root if (root / "pyproject.toml").is_file() and (root / "runtime" / _PACKAGE.name).is_dir() else None


def shipped_model(name: str) -> Path:
    """The file of a shipped model: beside this package in a wheel, in exported/ of a checkout.

    Raises:
        ModelError: there is no such file.
    """
    root = checkout()
    path = (root / EXPORTED if root else _PACKAGE / "shipped") / f"{name}.onnx"
    if not path.is_file():
        raise ModelError(f"{path}: the shipped model is missing; install gan-edge again, or name a file with --model")
    return path


def find_model(name: str) -> Path:
    """The file of this path, or the shipped model of this name where there is no such file."""
    return shipped_model(name) if name in SHIPPED and not Path(name).is_file() else Path(name)


def shipped_features(name: str) -> Path | None:
    """The feature network that ships for the data set `name`; None where there is none."""
    root = checkout()
    path = (root / EXPORTED if root else _PACKAGE / "shipped") / "features" / f"{name}.onnx"
    return path if path.is_file() else None


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


def newest_first(folder: Path, pattern: str) -> list[Path]:
    """The files of `folder` that fit `pattern`, the one that was written last first."""
    return sorted(folder.glob(pattern), key=_changed, reverse=True)


def _changed(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:  # a broken link, or removed a moment ago
        return 0
