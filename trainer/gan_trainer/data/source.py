"""The source of a run's images, and the check that a resumed run gets the same ones."""

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gan_runtime.data import KNOWN, Dataset, PictureOptions, check_source, load_dataset
from gan_runtime.data.decoded import renumbered
from gan_runtime.data.domain_pictures import load_domains
from gan_runtime.data.domain_split import split_domains
from gan_runtime.data.domains import Domains, PairOptions
from gan_runtime.data.photos import Photos, load_photos
from gan_runtime.data.split import SHARE, split_by_content
from gan_runtime.errors import DataError
from gan_runtime.manifest import ImageSize

IN_MEMORY = "an array"  # the source of images that were given as an array or a torch data set


@dataclass(frozen=True)
class DataSource:
    """A data set as config.json records it: how to load it, and what the loaded images must be.

    Args:
        name: for people; part of the run's name.
        source: a key of `KNOWN`, `IN_MEMORY`, or the absolute path of a folder or archive.
        folder: the --data-dir that was given, if any.
        pictures: how images of a folder or archive become arrays.
        digest, size, classes: of the data set that the run began with.
        images: the number of images that the run is trained on.
        hold_out: the share of the images that the run is not trained on (`split_by_content`, `split_domains`); None
            for data with test images of their own.
        source_size: of the inputs, where the data has two domains; `size` is that of the targets.
        pairs: how the two domains are found, where the data has two.
        photos: whether the images are photos of mixed sizes; `size` is then the largest height and width.
    """

    name: str
    source: str
    folder: str | None
    pictures: PictureOptions | None
    digest: str
    images: int
    size: ImageSize
    classes: tuple[str, ...]
    hold_out: float | None = None
    source_size: ImageSize | None = None
    pairs: PairOptions | None = None
    photos: bool = False

    @classmethod
    def of(
        cls,
        dataset: Dataset,
        source: str,
        folder: Path | None,
        pictures: PictureOptions | None,
        hold_out: float = SHARE,
        pairs: PairOptions | None = None,
    ) -> "DataSource":
        """Describe a data set that was loaded from `source`. `hold_out` has no effect on data with test images.

        Raises:
            InputError: as `split_by_content`.
        """
        share = None if has_test_images(dataset, source) else hold_out
        return cls(
            name=re.sub(r"[^\w.-]+", "-", dataset.name).strip("-.") or "images",
            source=source if source in (*KNOWN, IN_MEMORY) else str(Path(source).resolve()),
            folder=str(folder.resolve()) if folder else None,
            pictures=pictures,
            digest=dataset.digest,
            images=_trained_on(dataset, share),
            size=ImageSize(*(dataset.largest if isinstance(dataset, Photos) else dataset.images.shape[1:])),
            classes=dataset.classes,
            hold_out=share,
            source_size=ImageSize(*dataset.source.images.shape[1:]) if isinstance(dataset, Domains) else None,
            pairs=pairs,
            photos=isinstance(dataset, Photos),
        )

    def rows(self, dataset: Dataset) -> NDArray[np.int64] | None:
        """Indices of the images that the run is trained on; None for all of them."""
        return split_by_content(dataset, self.hold_out).train if self.hold_out else None

    def load(self, folder: Path | None = None, *, offline: bool = False, quiet: bool = False) -> Dataset:
        """Load the same images; from `folder` (or the archive of that path) if they have moved there.

        Raises:
            DataError: the images are missing, unreadable, or have changed.
        """
        return self.checked(self._load(folder, offline, quiet))

    def checked(self, dataset: Dataset) -> Dataset:
        """`dataset`, if it has the images that the run began with. Raises DataError where it has others."""
        if dataset.classes != self.classes and sorted(dataset.classes) == sorted(self.classes):
            dataset = renumbered(dataset, self.classes)  # earlier versions sorted classes as text
        if dataset.digest != self.digest:
            raise DataError(
                f"{self.source}: its images differ from those that the run started with, or this version reads them "
                "differently; restore them, or start a new run with the weights of this one (--init-from)"
            )
        return dataset

    def _load(self, folder: Path | None, offline: bool, quiet: bool) -> Dataset:
        if self.source == IN_MEMORY:
            raise DataError(
                "the images of this run are in no file: resume it in Python, gan_trainer.resume(run, data=…)"
            )
        if self.pictures is None:
            found = folder or (Path(self.folder) if self.folder else None)
            return load_source(self.source, None, None, found, offline=offline, quiet=quiet)
        where = folder or Path(self.source)
        if not where.exists():
            raise DataError(f"{where}: the images of this run are missing; give their new path with --data-dir")
        return load_source(str(where), self.pictures, self.pairs, photos=self.photos, quiet=quiet)


def load_source(
    source: str,
    pictures: PictureOptions | None,
    pairs: PairOptions | None,
    folder: Path | None = None,
    *,
    photos: bool = False,
    offline: bool = False,
    quiet: bool = False,
) -> Dataset:
    """Load the training images of a data set, or the two domains of a folder or archive where `pairs` are given.

    With `photos`, the pictures of a folder or archive keep their sizes.

    Raises:
        DataError, InputError: as `load_dataset`, `load_domains` and `load_photos`.
    """
    if photos:
        assert pictures is not None
        return load_photos(Path(source), pictures, quiet)
    if pairs is None:
        return load_dataset(source, "train", folder, pictures, offline=offline, quiet=quiet)
    assert pictures is not None
    check_source(source)
    return load_domains(Path(source), pictures, pairs, quiet)


def has_test_images(dataset: Dataset, source: str) -> bool:
    """Whether nothing needs to be held out of a data set that was loaded from `source`."""
    return source in KNOWN or (isinstance(dataset, Domains) and dataset.held_out is not None)


def held_out_words(dataset: Dataset, share: float | None) -> str:
    """How many images are held out for evaluation, for people; "" if none are."""
    if not isinstance(dataset, Domains):
        counts = [(len(split_by_content(dataset, share).held_out) if share else 0, len(dataset.images), "images")]
    else:
        rows, whole = split_domains(dataset, share).held_out, dataset
        targets, inputs = (len(rows.images), len(whole.images)), (len(rows.source), len(whole.source.images))
        counts = [(*targets, "pairs")] if dataset.paired else [(*inputs, "inputs"), (*targets, "targets")]
    if not any(count for count, _, _ in counts):
        return ""
    if share is None:
        return f"data: {' and '.join(f'{count:,} {unit}' for count, _, unit in counts)} for evaluation came with it"
    shown = " and ".join(f"{count:,} of {total:,} {unit}" for count, total, unit in counts)
    return f"data: {shown} are held out for evaluation (--hold-out)"


def _trained_on(dataset: Dataset, share: float | None) -> int:
    """The number of training images: pairs, or images of the larger one of two unpaired domains."""
    if isinstance(dataset, Domains):
        rows = split_domains(dataset, share).train
        return max(len(rows.source), len(rows.images))
    return len(dataset.images) if share is None else len(split_by_content(dataset, share).train)
