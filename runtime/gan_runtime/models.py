"""The files of the models that ship with the project."""

from pathlib import Path

from gan_runtime.errors import ModelError

EXPORTED = "exported"
ENCODER_SUFFIX = "-encoder.onnx"
INVERSE_SUFFIX = "-inverse.onnx"
MAPPING_SUFFIX, SYNTHESIS_SUFFIX = "-mapping.onnx", "-synthesis.onnx"
DEFAULT = "mnist"
SHIPPED = (DEFAULT, "fashion-mnist", "emoji")

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
    if Path(name).name != name:  # the path of a folder: a model beside it may have its name
        return None
    root = checkout()
    path = (root / EXPORTED if root else _PACKAGE / "shipped") / "features" / f"{name}.onnx"
    return path if path.is_file() else None


def encoder_path(generator: Path) -> Path:
    """The place of the encoder of a generator file: x-encoder.onnx beside x.onnx."""
    return generator.with_name(f"{generator.stem}{ENCODER_SUFFIX}")


def inverse_path(translator: Path) -> Path:
    """The place of the file of the opposite direction of a translator: x-inverse.onnx beside x.onnx."""
    return translator.with_name(f"{translator.stem}{INVERSE_SUFFIX}")


def mapping_path(generator: Path) -> Path:
    """The place of the part of a generator that makes styles: x-mapping.onnx beside x.onnx."""
    return generator.with_name(f"{generator.stem}{MAPPING_SUFFIX}")


def synthesis_path(generator: Path) -> Path:
    """The place of the part of a generator that draws styles: x-synthesis.onnx beside x.onnx."""
    return generator.with_name(f"{generator.stem}{SYNTHESIS_SUFFIX}")
