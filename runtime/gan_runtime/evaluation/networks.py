"""Which feature network measures a data set."""

import hashlib
from contextlib import suppress
from pathlib import Path

from gan_runtime.data.content import digest_of_content
from gan_runtime.data.listing import is_pictures
from gan_runtime.data.paths import cache_folder
from gan_runtime.errors import ModelError
from gan_runtime.models import shipped_features
from gan_runtime.terminal.text import note

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


def find_features(data: str, named: str | None = None, *, quiet: bool = False) -> Path:
    """The feature network for a data set.

    It is the file `named`; else the one that ships for the data; else the one that gan-features trained on a folder or
    archive of the same content, whatever its name; else the general one. What is chosen for a folder is reported.

    Raises:
        DataError: as `own_features`.
        ModelError: as `general_features`.
    """
    if named is not None:
        return general_features() if named == ANY else Path(named)
    if shipped := shipped_features(data):
        return shipped
    own = own_features(data, quiet)
    if is_pictures(data) and not quiet:
        trained = f"those that gan-features trained on {data}, {own}"
        note(f"features: {trained if own else f'the general ones; gan-features {data} trains some on these images'}")
    return own or general_features()


def find_again(sha256: str, otherwise: Path) -> Path:
    """The feature network with this SHA-256: `otherwise`, the general one, or one that gan-features keeps.

    It is `otherwise` if there is none.
    """
    folder = own_folder()
    kept = sorted(folder.glob("*.onnx")) if folder else []
    for path in (otherwise, *filter(None, [shipped_features(ANY)]), *kept):
        with suppress(OSError):
            if hashlib.sha256(path.read_bytes()).hexdigest() == sha256:
                return path
    return otherwise


def own_features(data: str, quiet: bool = False) -> Path | None:
    """The network that gan-features keeps for a folder or archive; None where there is none.

    The pictures are read only if there is any such network.

    Raises:
        DataError: the folder cannot be listed, or the archive is damaged.
    """
    folder = own_folder()
    if folder is None or not is_pictures(data) or not any(folder.glob("*.onnx")):
        return None
    path = own_path(folder, digest_of_content(Path(data), quiet=quiet))
    return path if path.is_file() else None


def own_folder() -> Path | None:
    """Where gan-features keeps networks; None if the user has no cache folder."""
    cache = cache_folder()
    return cache and cache / "feature-networks"


def own_path(folder: Path, digest: str) -> Path:
    """The file for pictures of this `digest_of_content`."""
    return folder / f"{digest[:32]}.onnx"
