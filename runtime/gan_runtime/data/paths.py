"""Where data sets are looked for, and where what is downloaded or decoded is kept."""

import os
from pathlib import Path

from gan_runtime.models import checkout

DATA_VARIABLE = "GAN_EDGE_DATA"
DEBIAN = Path("/usr/share/datasets")


def search_path(data_dir: str | Path | None = None) -> list[Path]:
    """The folders in which data sets are looked for, in order."""
    if data_dir is not None:
        return [Path(data_dir)]
    root = checkout()
    places = [os.environ.get(DATA_VARIABLE), root and root / "data", cache_folder(), DEBIAN]
    return [Path(place) for place in places if place]


def cache_folder() -> Path | None:
    """The user's own cache; None where the user has no home. It may be deleted at any time."""
    try:
        return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "gan-edge"
    except RuntimeError:  # a container's user may have none
        return None


def existing(folder: Path, name: str) -> Path | None:
    """The file `name` in `folder`, gzipped or not; None if it has neither."""
    candidates = (folder / f"{name}.gz", folder / name)
    return next((path for path in candidates if path.is_file()), None)
