"""Precision, recall, density and coverage, and other metrics of nearest neighbours."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from gan_runtime.errors import InputError
from gan_runtime.evaluation.metrics.arrays import Features, Float64, blocks, checked, checked_pair

_ROWS, _COLUMNS = 1024, 2048  # a block of distances is 16 MB for any n


@dataclass(frozen=True)
class Neighbourhoods:
    """Metrics of balls around each image that reach to its k-th neighbour in the same set.

    Attributes:
        precision: share of fakes inside the ball of any real, 0 to 1: are they plausible?
        recall: share of reals inside the ball of any fake, 0 to 1: can the generator make them?
        density: reals' balls that a fake lies in, on average, divided by k: 0 upwards, 1 for the same distribution.
        coverage: share of reals with a fake in their ball, 0 to 1: does the generator make their like? It grows with
            the number of fakes: m fakes of the distribution of n reals have 1 - (n-1)...(n-k) / ((n+m-1)...(n+m-k)).
    """

    precision: float
    recall: float
    density: float
    coverage: float


def neighbourhood_metrics(
    real: ArrayLike, fake: ArrayLike, k: int = 5, real_distances: Float64 | None = None
) -> Neighbourhoods:
    """Precision, recall, density and coverage in one pass.

    The first two are equations 1 and 2 of Kynkaanniemi et al. 2019, "Improved precision and recall metric for assessing
    generative models", the others sections 3.1 and 3.2 of Naeem et al. 2020, "Reliable fidelity and diversity metrics
    for generative models". Balls are closed, as in the former: a point exactly at the radius is inside, so that equal
    sets have precision, recall and coverage 1 even where points repeat (and density (k + 1) / k where none does).

    Args:
        real: features [n, d], n > k.
        fake: features [m, d], m > k.
        k: which neighbour, itself not counted, gives the radius.
        real_distances: `neighbour_distances(real, k)` if it is known already, float64 [n].

    Raises:
        InputError: as `checked`, there is no k-th neighbour, or real_distances belong to another set.
    """
    real, fake = checked_pair(real, fake, ("real features", "fake features"))
    if real_distances is None:
        real_distances = neighbour_distances(real, k)
    elif real_distances.shape != (len(real),):
        raise InputError(f"real_distances {real_distances.shape}: {len(real)} rows have [{len(real)}] of them")
    centre = real.mean(axis=0, dtype=np.float64)  # does not change distances, but reduces rounding errors
    reach_real, reach_fake = _reach(real, real_distances, centre), _reach(fake, _kth(fake, k, centre, "fake"), centre)
    plausible, within = np.zeros(len(fake), bool), 0
    reachable, covered = np.zeros(len(real), bool), np.zeros(len(real), bool)
    for rows, columns, squares in _squared_distances(real, fake, centre):
        near_real = squares <= reach_real[rows, None]
        within += int(np.count_nonzero(near_real))
        plausible[columns] |= near_real.any(axis=0)
        covered[rows] |= near_real.any(axis=1)
        reachable[rows] |= (squares <= reach_fake[columns]).any(axis=1)
    return Neighbourhoods(
        float(plausible.mean()), float(reachable.mean()), within / (k * len(fake)), float(covered.mean())
    )


def precision_recall(real: ArrayLike, fake: ArrayLike, k: int = 5) -> tuple[float, float]:
    """Precision and recall of `neighbourhood_metrics`, which computes all four at the same cost."""
    found = neighbourhood_metrics(real, fake, k)
    return found.precision, found.recall


def density_coverage(real: ArrayLike, fake: ArrayLike, k: int = 5) -> tuple[float, float]:
    """Density and coverage of `neighbourhood_metrics`, which computes all four at the same cost."""
    found = neighbourhood_metrics(real, fake, k)
    return found.density, found.coverage


def neighbour_distances(features: ArrayLike, k: int = 5) -> Float64:
    """Squared Euclidean distance of each row to its k-th nearest among the others, float64 [n].

    Args:
        features: [n, d], n > k.
        k: 1 for the nearest.

    Raises:
        InputError: as `checked`, or there is no k-th neighbour.
    """
    points = checked(features, "real features")
    return _kth(points, k, points.mean(axis=0, dtype=np.float64), "real")


def nearest_distances(features: ArrayLike, among: ArrayLike) -> Float64:
    """Squared Euclidean distance of each row to the nearest row of `among`, float64 [n].

    Distances that rounding cannot tell from 0 are 0.

    Args:
        features: [n, d].
        among: [m, d].

    Raises:
        InputError: as `checked`.
    """
    a, b = checked_pair(features, among, ("features", "features to search"))
    centre = b.mean(axis=0, dtype=np.float64)
    nearest: Float64 = np.full(len(a), np.inf)
    for rows, _, squares in _squared_distances(a, b, centre):
        nearest[rows] = np.minimum(nearest[rows], squares.min(axis=1))
    nearest[nearest <= _reach(a, np.zeros(len(a)), centre)] = 0.0
    return nearest


def nearest_neighbour_accuracy(
    known: ArrayLike, known_labels: ArrayLike, asked: ArrayLike, asked_labels: ArrayLike
) -> float:
    """Share of rows whose Euclidean nearest neighbour among the known ones has their label, 0 to 1.

    Donahue et al. 2017, section 4.2, measure so what an encoder has learned without labels.

    Args:
        known: [n, d], with labels, integers [n].
        asked: [m, d], with labels, integers [m].

    Raises:
        InputError: as `checked`, or the number of labels is wrong.
    """
    a, b = checked_pair(known, asked, ("known latents", "asked latents"))
    labels, wanted = np.asarray(known_labels), np.asarray(asked_labels)
    if (len(labels), len(wanted)) != (len(a), len(b)):
        raise InputError(f"{len(labels)} and {len(wanted)} labels for {len(a)} and {len(b)} rows: each row has one")
    nearest, found = np.full(len(b), np.inf), np.zeros(len(b), labels.dtype)
    for rows, columns, squares in _squared_distances(b, a, a.mean(axis=0, dtype=np.float64)):
        closest = squares.argmin(axis=1)
        distances = squares[np.arange(len(closest)), closest]
        nearer = distances < nearest[rows]
        nearest[rows] = np.where(nearer, distances, nearest[rows])
        found[rows] = np.where(nearer, labels[columns][closest], found[rows])
    return float(np.mean(found == wanted))


def _kth(points: Features, k: int, centre: Float64, name: str) -> Float64:
    if not 1 <= k < len(points):
        raise InputError(f"k = {k}: {len(points)} {name} images have neighbours 1 to {len(points) - 1} each")
    nearest: Float64 = np.full((len(points), k + 1), np.inf)  # the first is the row itself
    for rows, _, squares in _squared_distances(points, points, centre):
        nearest[rows] = _smallest(np.concatenate([nearest[rows], _smallest(squares, k + 1)], axis=1), k + 1)
    distances: Float64 = nearest.max(axis=1).clip(min=0.0)
    return distances


def _smallest(distances: Float64, count: int) -> Float64:
    """The `count` smallest of each row, in no order; `distances` is reordered."""
    if distances.shape[1] > count:
        distances.partition(count - 1, axis=1)
    return distances[:, :count]


def _squared_distances(a: Features, b: Features, centre: Float64) -> Iterator[tuple[slice, slice, Float64]]:
    """|x - y|^2 of all rows x of `a` and y of `b`, block by block: which rows, which columns, and the distances.

    One product gives them, (-2 x, |x|^2, 1) . (y, 1, |y|^2), fast and with a rounding that may leave 0 negative.
    """
    for rows, block in blocks(a, _ROWS):
        x = block - centre
        left = np.concatenate([-2.0 * x, _norms(x), np.ones((len(x), 1))], axis=1)
        for columns, other in blocks(b, _COLUMNS):
            y = other - centre
            yield rows, columns, left @ np.concatenate([y, np.ones((len(y), 1)), _norms(y)], axis=1).T


def _norms(x: Float64) -> Float64:
    """|x|^2 of each row, float64 [n, 1]."""
    norms: Float64 = np.einsum("nd,nd->n", x, x)[:, None]
    return norms


def _reach(points: Features, distances: Float64, centre: Float64) -> Float64:
    """Squared distances plus what two of them can differ by through rounding, so that ties are ties on every BLAS.

    A product of d + 2 terms is off by at most (d + 2) eps / 2 of their sizes, and |y|^2 <= 2 |x|^2 + 2 |x - y|^2.
    """
    norms = np.concatenate([_norms(x - centre)[:, 0] for _, x in blocks(points, _ROWS)])
    rounding = 8.0 * (points.shape[1] + 2) * np.finfo(np.float64).eps
    reach: Float64 = distances + rounding * (norms + distances)
    return reach
