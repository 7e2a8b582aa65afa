"""Which feature network measures a data set."""

from pathlib import Path

from gan_runtime.errors import ModelError
from gan_runtime.models import shipped_features

ANY = "any"  # the feature network for images of any size and kind


def general_features() -> Path:
    """The feature network that ships for images of any size and kind.

    Raises:
        ModelError: there is no such file.
    """
    path = shipped_features(ANY)
    if path is None:
        raise ModelError(f"{ANY}.onnx: the shipped feature network is missing; install gan-edge again")
    return path


def find_features(data: str, named: str | None = None) -> Path:
    """The feature network for a data set: the file `named`, else the one that ships for the data, else the general one.

    Raises:
        ModelError: as `general_features`.
    """
    if named is not None and named != ANY:
        return Path(named)
    return (None if named else shipped_features(data)) or general_features()
