"""Scores of generated images, and the scores of real images as floors."""

import json
import zlib
from contextlib import suppress
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gan_runtime.errors import InputError
from gan_runtime.evaluation.features import Measured
from gan_runtime.evaluation.metrics import (
    Memorisation,
    Moments,
    frechet_distance_of,
    kernel_distance,
    label_accuracy,
    memorisation,
    mode_coverage,
    neighbourhood_metrics,
)
from gan_runtime.evaluation.metrics.arrays import Features
from gan_runtime.evaluation.reference import MEMORISED, OF_FEW, Reference, cached, keep
from gan_runtime.images.choice import some_of

VERSION = 4  # of the cached floors
TEST, TRAIN = "test images", "training images"
KID_SUBSETS, KID_SIZE = 50, 1000
CONFIDENT = 0.9
DISTANCES = ("fid", "kid", "kid_deviation")
OF_CLASSES = ("modes", "kl", "confident", "accuracy")


@dataclass(frozen=True)
class Scores:
    """The scores of a set of images; None if a score does not apply.

    Attributes:
        fid: Frechet distance to all training images (Heusel et al. 2017).
        kid: kernel distance to all training images, mean over subsets (Binkowski et al. 2018).
        kid_deviation: its standard deviation over subsets.
        precision, recall: against the same number of test images (Kynkaanniemi et al. 2019).
        density, coverage: against the same images (Naeem et al. 2020).
        modes: the number of classes that occur.
        kl: KL(these || training images) of the class frequencies in nats; to uniform ones if the data have modes.
        confident: the share of images whose predicted class has a probability of at least 0.9.
        accuracy: the share of images whose predicted class is their label.
        copied, nearer: of `Memorisation`; None if the generator has seen the test images.
        memorised: whether they repeat training images (`Memorisation.found`).

    Those of classes are None if the feature network has no classes.
    """

    fid: float | None
    kid: float | None
    kid_deviation: float | None
    precision: float | None
    recall: float | None
    density: float | None
    coverage: float | None
    modes: int | None
    kl: float | None
    confident: float | None
    accuracy: float | None
    copied: float | None = None
    nearer: float | None = None
    memorised: bool | None = None

    def to_dict(self) -> dict[str, Any]:
        """The scores as plain values, for JSON; without those of classes if the feature network has none."""
        left_out = OF_CLASSES if self.modes is None else ()
        return {key: value for key, value in asdict(self).items() if key not in left_out}


def check_n(n: int, dim: int, source: str) -> None:
    """Raise InputError if the n images of `source` are too few for the covariance of `dim` features."""
    least = max(dim, OF_FEW) + 1
    if n < least:
        raise InputError(
            f"{source}: n {n:,}: features of {dim:,} dimensions need at least {least:,} images; ask for more, of a "
            "source that has as many"
        )


def score(
    measured: Measured, reference: Reference, labels: NDArray[np.int64] | None = None, *, seen: bool = False
) -> Scores:
    """Measure generated images.

    Args:
        measured: the output of the feature network for them.
        reference: the data set.
        labels: the classes they were generated for, int64 [n]; None if they have none.
        seen: whether the generator was trained on the test images, too: memorisation is then not measured.

    Raises:
        InputError: there are too few images for the covariance.
    """
    n, dim = measured.features.shape
    check_n(n, dim, "images")
    real, distances = reference.among(n)
    near = neighbourhood_metrics(real, measured.features, reference.k, distances)
    found = None if seen or not reference.held_out else find_copies(measured, reference)
    return Scores(
        **feature_distances(measured.features, reference.train.measured.features, reference.moments),
        **asdict(near),
        **_classes(measured, reference, labels),
        **_copies(found),
    )


def find_copies(measured: Measured, reference: Reference) -> Memorisation:
    """Do generated images repeat training images? At most `MEMORISED` of them are looked at."""
    some = measured.features[some_of(len(measured.features), MEMORISED)]
    held_out = reference.test.measured.features[some_of(len(reference.test.measured.features), MEMORISED)]
    return memorisation(some, reference.train.measured.features, held_out, reference.held_out_distances)


def _copies(found: Memorisation | None) -> dict[str, Any]:
    return {"copied": found.copied, "nearer": found.nearer, "memorised": found.found} if found else {}


def score_test(reference: Reference, n: int) -> Scores:
    """Scores of n test images, or of all: the floor of the distances. Neighbours are searched among them, so those are
    None.

    If fewer than n images of a folder are held out, the distances are those of n training images, at most half of
    them, to the other training images: FID depends on n.
    """
    test, train = reference.test.measured, reference.train.measured
    chosen = some_of(len(test.features), n)
    some, labels = test.at(chosen), reference.test.labels[chosen] if reference.labelled else None
    distances = dict.fromkeys(DISTANCES)
    if reference.hold_out is not None and n > len(test.features):
        order = some_of(len(train.features), len(train.features))
        left, right = np.split(order, [min(n, len(order) // 2)])
        if len(left) > train.features.shape[1]:
            right_features = train.features[right]
            distances = feature_distances(train.features[left], right_features, Moments.of(right_features))
    elif len(chosen) > some.features.shape[1]:
        distances = feature_distances(some.features, train.features, reference.moments)
    values = dict.fromkeys(("precision", "recall", "density", "coverage")) | distances
    found = find_copies(some, reference) if reference.held_out else None
    return Scores(**values, **_classes(some, reference, labels), **_copies(found))


def score_train(reference: Reference, n: int) -> Scores:
    """Scores of n training images, as of a generator that memorised them: the ceiling of the neighbourhood metrics."""
    train = reference.train.measured
    return score(train.at(some_of(len(train.features), n)), reference)


def floors(reference: Reference, n: int) -> dict[str, dict[str, Any]]:
    """Scores of real images for comparison with n generated ones, computed once and then cached."""
    what = f"{VERSION} {reference.key} {n}"
    path = cached("floors", what, ".json")
    stored = path and _read_cached(path)
    if stored:
        return stored
    train, test = (min(n, len(part.measured.features)) for part in (reference.train, reference.test))
    found = {
        TEST: {"n": test, **score_test(reference, n).to_dict()},
        TRAIN: {"n": train, **score_train(reference, train).to_dict()},
    }
    if path:
        keep(path, lambda file: file.write(json.dumps({"floors": found, "crc32": _check(found)}).encode()))
    return found


def _read_cached(path: Path) -> dict[str, dict[str, Any]] | None:
    """The cached floors; None if they are missing or damaged."""
    keys = {"n", *(field.name for field in fields(Scores))}
    with suppress(OSError, ValueError, AttributeError, KeyError, TypeError):
        document = json.loads(path.read_text())
        stored, check = document["floors"], document["crc32"]
        complete = set(stored) == {TEST, TRAIN} and all(
            set(values) in (keys, keys - set(OF_CLASSES)) for values in stored.values()
        )
        if complete and check == _check(stored):
            return dict(stored)
    return None


def _check(stored: dict[str, dict[str, Any]]) -> int:
    """A checksum of the values."""
    return zlib.crc32(json.dumps(stored, sort_keys=True).encode())


def feature_distances(features: Features, real: Features, moments: Moments | None) -> dict[str, Any]:
    """KID of `features` [n, d] to those of real images [m, d], and FID if the `moments` of these are given."""
    size = min(KID_SIZE, len(features), len(real))
    kernel = kernel_distance(real, features, KID_SUBSETS, size)
    frechet = None if moments is None else frechet_distance_of(features, moments)
    return {"fid": frechet, "kid": kernel.mean, "kid_deviation": kernel.deviation}


def _classes(measured: Measured, reference: Reference, labels: NDArray[np.int64] | None) -> dict[str, Any]:
    if measured.predicted is None or measured.confidence is None or reference.frequencies is None:
        return dict.fromkeys(OF_CLASSES)
    modes = mode_coverage(measured.predicted, reference.frequencies)
    accuracy = None
    if labels is not None and (reference.labelled or reference.hold_out is not None):
        accuracy = label_accuracy(measured.predicted, labels)
    confident = float(np.mean(measured.confidence >= CONFIDENT))
    return {"modes": modes.covered, "kl": modes.divergence, "confident": confident, "accuracy": accuracy}
