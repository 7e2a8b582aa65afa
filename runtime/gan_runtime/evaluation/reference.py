"""The features of a data set, against which generated images are measured; kept in the user's cache."""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gan_runtime.data import KNOWN, Dataset, load_dataset
from gan_runtime.data.named import load_pictures_as
from gan_runtime.data.paths import cache_folder
from gan_runtime.errors import InputError, OutputError
from gan_runtime.evaluation.features import FeatureNetwork, Measured
from gan_runtime.evaluation.metrics import Moments, neighbour_distances
from gan_runtime.files import atomic_write
from gan_runtime.images.array_files import open_arrays
from gan_runtime.images.choice import some_in_order, some_of
from gan_runtime.images.options import PictureOptions
from gan_runtime.manifest import ImageSize
from gan_runtime.terminal.progress import progress

VERSION = 3  # of the cached features
BATCH = 1024
NEIGHBOUR = 5  # k of precision, recall, density and coverage
TEST_SHARE = 6  # a folder has no test split: a random sixth of its images is used


@dataclass(frozen=True, eq=False)
class Reference:
    """Features of real images and statistics of them.

    `labelled` says whether the classes of the network are those of the data. `frequencies` are None for a network
    without classes.
    """

    name: str
    digest: str
    key: str
    train: Measured
    test: Measured
    test_labels: NDArray[np.int64]
    moments: Moments
    test_distances: NDArray[np.float64]
    frequencies: NDArray[np.float64] | None
    labelled: bool

    def among(self, n: int) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
        """Features of n test images, or of all if there are fewer, and the distances to their neighbours.

        Coverage needs equal numbers of real and generated images.
        """
        if n >= len(self.test.features):
            return self.test.features, self.test_distances
        chosen = self.test.features[some_of(len(self.test.features), n)]
        return chosen, neighbour_distances(chosen, NEIGHBOUR)


def load_reference(
    source: str,
    network: FeatureNetwork,
    data_dir: Path | None = None,
    *,
    offline: bool = False,
    quiet: bool = False,
    like: PictureOptions | None = None,
) -> tuple[Reference, Dataset]:
    """The reference of a data set for a feature network, and its training images.

    Args:
        source: a key of `KNOWN`, or a folder or .zip of images. A sixth of the latter, chosen by `some_in_order`, is
            used as test images.
        network: an open feature network.
        data_dir, offline, quiet: as `load_dataset`.
        like: options of decoding except for the size.

    Raises:
        DataError: as `load_dataset`.
        InputError: the images have another size than the network takes, or there are too few.
    """
    train, test = load_splits(source, network, data_dir, offline=offline, quiet=quiet, like=like)
    network.check_size(ImageSize(*train.images.shape[1:]), train.name)
    if len(train.images) <= network.dim or len(test.images) <= NEIGHBOUR:
        least = max(network.dim + 1, NEIGHBOUR * TEST_SHARE + 1)
        raise InputError(
            f"{source}: {len(train.images):,} images are too few to measure against; features of {network.dim:,} "
            f"dimensions need at least {least:,}"
        )
    seen, test_seen = (measure_split(split, network, quiet) for split in (train, test))
    return make_reference((train, seen), (test, test_seen), network.classes, network.key), train


def load_splits(
    source: str,
    network: FeatureNetwork,
    data_dir: Path | None = None,
    *,
    offline: bool = False,
    quiet: bool = False,
    like: PictureOptions | None = None,
) -> tuple[Dataset, Dataset]:
    """Training and test images; those of a folder or archive are resized for `network`."""
    if source in KNOWN:
        train, test = (
            load_dataset(source, split, data_dir, offline=offline, quiet=quiet) for split in ("train", "test")
        )
        return train, test
    train = load_pictures_as(source, network.fixed_size(source), quiet, like)
    some = some_in_order(len(train.images), -(-len(train.images) // TEST_SHARE))
    return train, replace(train, split="randomly chosen", images=train.images[some], labels=train.labels[some])


def make_reference(
    train: tuple[Dataset, Measured], test: tuple[Dataset, Measured], classes: int, features: str
) -> Reference:
    """Compute the reference from both splits, measured by a network with `classes` classes and the key `features`."""
    (images, seen), (test_images, test_seen) = train, test
    labelled = classes > 0 and (images.modes or len(images.classes)) == classes
    if labelled and images.modes:
        counts = np.ones(classes, np.int64)  # uniform by design, as in the papers
    elif labelled:
        counts = np.bincount(images.labels, minlength=classes)
    elif seen.predicted is not None:  # no labels of the network's classes: predicted ones, at least one image each
        counts = np.bincount(seen.predicted, minlength=classes).clip(min=1)
    else:
        counts = None
    return Reference(
        name=images.name,
        digest=images.digest,
        key=f"{images.digest} {test_images.digest} {features}",
        train=seen,
        test=test_seen,
        test_labels=test_images.labels,
        moments=Moments.of(seen.features),
        test_distances=neighbour_distances(test_seen.features, NEIGHBOUR),
        frequencies=None if counts is None else counts / counts.sum(),
        labelled=labelled,
    )


def measure_split(dataset: Dataset, network: FeatureNetwork, quiet: bool = False) -> Measured:
    """Measure all images of a split, or read the result from the cache."""
    path = cached("features", f"{VERSION} {dataset.digest} {dataset.split} {len(dataset.images)} {network.key}", ".npz")
    kept = path and _kept(path, len(dataset.images), network)
    if kept:
        return kept
    title = f"measuring the {dataset.split} images of {dataset.name}"
    with progress(title, len(dataset.images), "images", quiet=quiet) as advance:

        def batches() -> Iterator[NDArray[np.uint8]]:
            for first in range(0, len(dataset.images), BATCH):
                batch = dataset.images[first : first + BATCH]
                yield batch
                advance(len(batch))

        measured = network.measure(batches())
    if path:
        keep(path, lambda file: np.savez(file, **{k: part for k, part in vars(measured).items() if part is not None}))
    return measured


def cached(kind: str, what: str, suffix: str) -> Path | None:
    """The path in the user's cache for the key `what`; None if there is no cache."""
    cache = cache_folder()
    return cache and cache / kind / f"{hashlib.sha256(what.encode()).hexdigest()[:32]}{suffix}"


def keep(path: Path, write: Callable[[Any], Any]) -> None:
    """Write a file of the cache with `write`; errors are ignored, since the cache only saves time."""
    with suppress(OSError, OutputError):
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_write(path) as file:
            write(file)


def _kept(path: Path, n: int, network: FeatureNetwork) -> Measured | None:
    """The cached result; None if it is missing or damaged."""
    try:
        with open_arrays(str(path)) as arrays:  # checks the CRC of each
            stored = {array.name: array for array in arrays}
            kept = Measured(
                *(stored[field.name].read(None) for field in fields(Measured)[: 3 if network.classes else 1])
            )
    except (InputError, KeyError):
        return None
    found = [(array.dtype, array.shape) for array in vars(kept).values() if array is not None]
    expected = [(np.float32, (n, network.dim)), (np.int64, (n,)), (np.float64, (n,))]
    fits = found == expected[: len(found)] and np.isfinite(kept.features).all()
    return kept if fits and (kept.predicted is None or kept.predicted.max() < network.classes) else None
