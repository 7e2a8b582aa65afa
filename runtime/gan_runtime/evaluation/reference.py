"""The features of a data set, against which generated images are measured; kept in the user's cache."""

import hashlib
import math
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gan_runtime.data import KNOWN, Dataset, load_dataset
from gan_runtime.data.listing import is_pictures, open_pictures
from gan_runtime.data.named import load_pictures_as
from gan_runtime.data.paths import cache_folder
from gan_runtime.data.split import SHARE, split_by_content
from gan_runtime.errors import InputError, OutputError
from gan_runtime.evaluation.features import FeatureNetwork, Measured
from gan_runtime.evaluation.metrics import Moments, nearest_distances, neighbour_distances
from gan_runtime.files import atomic_write
from gan_runtime.images.array_files import open_arrays
from gan_runtime.images.choice import some_in_order, some_of
from gan_runtime.images.options import PictureOptions
from gan_runtime.manifest import ImageSize
from gan_runtime.terminal.progress import progress
from gan_runtime.terminal.text import note

VERSION = 3  # of the cached features
BATCH = 1024
LEAST = 1_000  # samples to measure
FULL = 10_000  # images: FID of fewer is biased so much that KID leads
NEIGHBOUR, OF_FEW, FEW = 5, 3, 50  # k of precision, recall, density and coverage; of fewer test images than FEW
TEST_SHARE = 6  # if no images are held out, a random sixth of all images takes the place of test images
MEMORISED = 2_000  # images per side that memorisation looks at


@dataclass(frozen=True)
class Part:
    """Real images of one kind, measured: all images of a data set, or some `rows` of it."""

    dataset: Dataset
    measured: Measured
    rows: NDArray[np.int64] | None = None

    @property
    def labels(self) -> NDArray[np.int64]:
        """Labels of the images, int64 [n]."""
        return self.dataset.labels if self.rows is None else self.dataset.labels[self.rows]

    def images(self, chosen: NDArray[np.int64]) -> NDArray[Any]:
        """Some of the images, by their indices in this part."""
        return np.asarray(self.dataset.images[chosen if self.rows is None else self.rows[chosen]])


@dataclass(frozen=True, eq=False)
class Reference:
    """Features of real images and statistics of them.

    Attributes:
        name, digest: of the data set.
        key: what determines all numbers: the data, how they are split, and the feature network.
        train: the images that a generator is trained on.
        test: images that it is not trained on, if `held_out` is True; a random choice of `train` otherwise.
        moments: of the features of `train`.
        test_distances: of the images of `test` to their k-th neighbours, float64 [n].
        frequencies: of the classes of the network; None if it has none.
        labelled: whether the classes of the network are those of the data.
        hold_out: the share of a folder's or an array's images that is held out; None if the data have a test split.
    """

    name: str
    digest: str
    key: str
    train: Part
    test: Part
    moments: Moments
    test_distances: NDArray[np.float64]
    frequencies: NDArray[np.float64] | None
    labelled: bool
    hold_out: float | None = None

    @property
    def held_out(self) -> bool:
        """Whether a generator that was trained on `train` has not seen `test`."""
        return self.hold_out is None or self.hold_out > 0

    @property
    def k(self) -> int:
        """Which neighbour gives the radius of precision, recall, density and coverage."""
        return neighbour(len(self.test.measured.features))

    @property
    def small(self) -> bool:
        """Whether FID is too biased to lead: images without test images of their own, and few of them."""
        return self.hold_out is not None and len(self.train.measured.features) < FULL

    def among(self, n: int) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
        """Features of n test images, or of all if there are fewer, and the distances to their neighbours.

        Coverage needs equal numbers of real and generated images.
        """
        features = self.test.measured.features
        if n >= len(features):
            return features, self.test_distances
        chosen = features[some_of(len(features), n)]
        return chosen, neighbour_distances(chosen, self.k)

    def facts(self) -> dict[str, Any]:
        """Name, digest and numbers of images, for reports."""
        test = len(self.test.measured.features)
        counts = {"train": len(self.train.measured.features), "test": test, "k": self.k}
        shared = {} if self.hold_out is None else {"hold_out": self.hold_out}
        return {"name": self.name, "digest": self.digest} | counts | shared

    @cached_property
    def held_out_distances(self) -> NDArray[np.float64]:
        """Squared distances of at most `MEMORISED` test images to the nearest training image, float64 [n]."""
        features = self.test.measured.features
        return nearest_distances(features[some_of(len(features), MEMORISED)], self.train.measured.features)


def samples_for(source: str, hold_out: float) -> int:
    """How many images to compare with a data set: 10,000; for a folder or .zip the number held out, at least 1,000.

    With fewer, noise hides differences. With more than there are test images, only FID and KID gain.
    """
    if not is_pictures(source):
        return FULL
    with open_pictures(Path(source), follow_links=False) as listing:
        held_out = round(len(listing.names) * (hold_out or 1 / TEST_SHARE))
    return min(FULL, max(LEAST, held_out))


def load_reference(
    source: str,
    network: FeatureNetwork,
    data_dir: Path | None = None,
    *,
    offline: bool = False,
    quiet: bool = False,
    like: PictureOptions | None = None,
    hold_out: float = SHARE,
) -> Reference:
    """The reference of a data set for a feature network.

    Args:
        source: a key of `KNOWN`, or a folder or .zip of images, of which a part is held out (`split_by_content`).
        network: an open feature network.
        data_dir, offline, quiet: as `load_dataset`.
        like: options of decoding except for the size.
        hold_out: share of the images of a folder or archive to hold out; 0 for a generator that was trained on all of
            them.

    Raises:
        DataError: as `load_dataset`.
        InputError: the images have another size than the network takes, or there are too few.
    """
    if source in KNOWN:
        train, test = (
            load_dataset(source, split, data_dir, offline=offline, quiet=quiet) for split in ("train", "test")
        )
        network.check_size(ImageSize(*train.images.shape[1:]), train.name)
        seen, test_seen = (Part(split, measure_split(split, network, quiet)) for split in (train, test))
        return make_reference(seen, test_seen, network.classes, network.key)
    whole = load_pictures_as(source, network.fixed_size(source), quiet, like)
    return split_reference(whole, network, hold_out, quiet)


def split_reference(dataset: Dataset, network: FeatureNetwork, hold_out: float, quiet: bool = False) -> Reference:
    """The reference of images that have no test split: a part of them is held out.

    Raises:
        InputError: the images have another size than the network takes, there are too few, or `hold_out` is out of
            range.
    """
    network.check_size(ImageSize(*dataset.images.shape[1:]), dataset.name)
    split = split_by_content(dataset, hold_out)
    total = len(dataset.images)
    test = split.held_out if hold_out else some_in_order(total, -(-total // TEST_SHARE))
    if len(test) <= OF_FEW or len(split.train) <= network.dim:
        needed = max((OF_FEW + 1) / (hold_out or 1 / TEST_SHARE), (network.dim + 1) / (1 - hold_out))
        raise InputError(
            f"{dataset.name}: {total:,} images are too few to measure against; features of {network.dim:,} dimensions "
            f"need about {math.ceil(needed):,}"
        )
    if split.repeated and not quiet:
        note(
            f"{dataset.name}: {split.repeated:,} of {total:,} images repeat another one: recall and coverage are lower"
        )
    measured = measure_split(dataset, network, quiet)
    seen, unseen = (Part(dataset, measured.at(rows), rows) for rows in (split.train, test))
    return make_reference(seen, unseen, network.classes, network.key, hold_out)


def make_reference(train: Part, test: Part, classes: int, features: str, hold_out: float | None = None) -> Reference:
    """Compute the reference from both parts, measured by a network with `classes` classes and the key `features`."""
    images = train.dataset
    labelled = classes > 0 and (images.modes or len(images.classes)) == classes
    if labelled and images.modes:
        counts = np.ones(classes, np.int64)  # uniform by design, as in the papers
    elif labelled:
        counts = np.bincount(train.labels, minlength=classes)
    elif train.measured.predicted is not None:  # the predicted classes, at least one image each
        counts = np.bincount(train.measured.predicted, minlength=classes).clip(min=1)
    else:
        counts = None
    return Reference(
        name=images.name,
        digest=images.digest,
        key=f"{images.digest} {test.dataset.digest} {hold_out} {features}",
        train=train,
        test=test,
        moments=Moments.of(train.measured.features),
        test_distances=neighbour_distances(test.measured.features, neighbour(len(test.measured.features))),
        frequencies=None if counts is None else counts / counts.sum(),
        labelled=labelled,
        hold_out=hold_out,
    )


def neighbour(test_images: int) -> int:
    """k of precision, recall, density and coverage with so many test images."""
    return NEIGHBOUR if test_images >= FEW else OF_FEW


def measure_split(dataset: Dataset, network: FeatureNetwork, quiet: bool = False) -> Measured:
    """Measure all images of a split, or read the result from the cache."""
    path = cached("features", f"{VERSION} {dataset.digest} {dataset.split} {len(dataset.images)} {network.key}", ".npz")
    measured = path and _read_cached(path, len(dataset.images), network)
    if measured:
        return measured
    title = f"measuring the {dataset.split} images of {dataset.name}"
    with progress(title, len(dataset.images), "images", quiet=quiet) as advance:

        def batches() -> Iterator[NDArray[np.uint8]]:
            for first in range(0, len(dataset.images), BATCH):
                batch = dataset.images[first : first + BATCH]
                yield batch
                advance(len(batch))

        measured = network.measure(batches(), len(dataset.images))
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


def _read_cached(path: Path, n: int, network: FeatureNetwork) -> Measured | None:
    """The cached result; None if it is missing or damaged."""
    try:
        with open_arrays(str(path)) as arrays:  # checks the CRC of each
            stored = {array.name: array for array in arrays}
            measured = Measured(
                *(stored[field.name].read(None) for field in fields(Measured)[: 3 if network.classes else 1])
            )
    except (InputError, KeyError):
        return None
    found = [(array.dtype, array.shape) for array in vars(measured).values() if array is not None]
    expected = [(np.float32, (n, network.dim)), (np.int64, (n,)), (np.float64, (n,))]
    fits = found == expected[: len(found)] and np.isfinite(measured.features).all()
    return measured if fits and (measured.predicted is None or measured.predicted.max() < network.classes) else None
