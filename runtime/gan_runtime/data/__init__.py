"""Find, verify and decode data sets to numpy arrays."""

from pathlib import Path

from gan_runtime.data.dataset import Dataset
from gan_runtime.data.listing import is_pictures, packed_otherwise
from gan_runtime.data.registry import KNOWN, SOURCES, find_computed
from gan_runtime.errors import DataError, InputError
from gan_runtime.images.options import PictureOptions

__all__ = ["KNOWN", "Dataset", "PictureOptions", "check_source", "load_dataset"]


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
        source: a key of `KNOWN`, or the path of a folder or .zip archive of images, which has one split, "train".
        split: "train" or "test".
        data_dir: the folder that has the files, or has a folder `source` with them. If given, only this folder is
            searched. Otherwise $GAN_EDGE_DATA, the checkout's data/, the user's cache and Debian's /usr/share/datasets
            are searched in this order, and missing files are downloaded into the cache.
        pictures: how the images of a folder or archive are decoded; only for those.
        offline: never download.
        quiet: print no progress and no remarks on stderr.

    Raises:
        DataError: the name or split is unknown, files are missing or do not have the expected SHA-256, or images cannot
            be read.
        InputError: an option does not apply to the source, or is out of range.
    """
    if source in KNOWN and pictures is not None:
        raise InputError(f"{source}: its images are used as they are; size, mode, … are for folders and archives")
    if computed := find_computed(source):
        return computed.load(source, split, data_dir, offline, quiet)
    if source in SOURCES:
        from gan_runtime.data.idx import load_idx  # noqa: PLC0415  (only downloads need the network's modules)

        return load_idx(source, split, data_dir, offline, quiet)
    from gan_runtime.data.pictures import load_pictures  # noqa: PLC0415  (other sources do without)

    check_source(source)
    if split != "train" or data_dir is not None:
        raise InputError(f"{source}: a folder or archive of images is one split and found by its path alone")
    return load_pictures(Path(source), pictures or PictureOptions(), quiet)


def check_source(source: str) -> None:
    """Raise DataError if `source` is neither a key of `KNOWN` nor a folder or .zip archive."""
    if source not in KNOWN and not is_pictures(source):
        way = packed_otherwise(source) if Path(source).is_file() else ""
        known = f"unknown; choose one of {', '.join(KNOWN)}, or a folder or .zip of images"
        raise DataError(f"data set {source!r}: {way or known}")
