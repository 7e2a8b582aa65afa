"""The search path of data sets, and the cache folder."""

import os
from pathlib import Path

from gan_runtime.models import checkout

DATA_VARIABLE = "GAN_EDGE_DATA"
DEBIAN = Path("/usr/share/datasets")


def search_path(data_dir: str | Path | None = None) -> list[Path]:
    """The folders that are searched for data sets, in order."""
    if data_dir is not None:
        return [Path(data_dir)]
    root = checkout()
    folders = [os.environ.get(DATA_VARIABLE), root and root / "data", cache_folder(), DEBIAN]
    return [Path(folder) for folder in folders if folder]


def cache_folder() -> Path | None:
    """The user's cache folder, which may be deleted at any time; None if the user has no home folder."""
    try:
        return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "gan-edge"
    except RuntimeError:  # as for some users of containers
        return None


def existing(folder: Path, name: str) -> Path | None:
    """The path of `name` in `folder`, gzipped or not; None if neither exists."""
    paths = (folder / f"{name}.gz", folder / name)
    return next((path for path in paths if path.is_file()), None)
