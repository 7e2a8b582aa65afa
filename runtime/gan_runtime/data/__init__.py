"""Find, verify and decode data sets to numpy. Training and evaluation read the same arrays."""

from pathlib import Path

from gan_runtime.data.dataset import Dataset
from gan_runtime.data.idx import load_idx
from gan_runtime.data.listing import packed_otherwise
from gan_runtime.data.pictures import PictureOptions, is_pictures, load_pictures
from gan_runtime.data.registry import KNOWN, POINTS, SOURCES, STACKED
from gan_runtime.errors import DataError, InputError
from gan_runtime.laboratory.points import make_points
from gan_runtime.laboratory.stacked import stack

__all__ = ["KNOWN", "Dataset", "PictureOptions", "load_dataset"]


def load_dataset(
    source: str,
    split: str = "train",
    data_dir: str | Path | None = None,
    pictures: PictureOptions | None = None,
    *,
    offline: bool = False,
    quiet: bool = False,
) -> Dataset:
    """Read and verify one split of a data set.

    Args:
        source: a key of `KNOWN`, or the path of a folder or .zip archive of images, which is one split, "train".
        split: "train" or "test".
        data_dir: folder with the files, or with a folder `source` that has them; the only place searched if given.
            Otherwise $GAN_EDGE_DATA, the checkout's data/, the user's cache and Debian's /usr/share/datasets are
            searched in this order, and what is in none of them is downloaded into the cache.
        pictures: how the images of a folder or archive become arrays of one shape; only for those.
        offline: never download.
        quiet: no progress and no remarks on stderr.

    Raises:
        DataError: unknown name or split, missing files, content that does not have the expected SHA-256, or images
            that cannot be read.
        InputError: options that do not belong to the source, or are out of range.
    """
    if source in KNOWN and pictures is not None:
        raise InputError(f"{source}: its images are used as they are; size, mode, … are for folders and archives")
    if source in POINTS:
        return make_points(source, split)
    if source in STACKED:
        return _stack(source, split, data_dir, offline, quiet)
    if source in SOURCES:
        return load_idx(source, split, data_dir, offline, quiet)
    if not is_pictures(source):
        way = packed_otherwise(source) if Path(source).is_file() else ""
        known = f"unknown; choose one of {', '.join(KNOWN)}, or a folder or .zip of images"
        raise DataError(f"data set {source!r}: {way or known}")
    if split != "train" or data_dir is not None:
        raise InputError(f"{source}: a folder or archive of images is one split and found by its path alone")
    return load_pictures(Path(source), pictures or PictureOptions(), quiet)


def _stack(name: str, split: str, data_dir: str | Path | None, offline: bool, quiet: bool) -> Dataset:
    made = STACKED[name]
    return stack(name, load_idx(made.of, split, data_dir, offline, quiet), made.images[split])
