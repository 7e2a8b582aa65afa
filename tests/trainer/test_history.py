"""What evaluations say together."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gan_runtime.data import Dataset, load_dataset
from gan_runtime.evaluation.features import FeatureNetwork
from gan_runtime.evaluation.metrics.neighbours import neighbourhood_metrics
from gan_runtime.models import shipped_features
from gan_trainer.runs import history
from gan_trainer.tasks.generate import FID

DATA = Path(__file__).resolve().parents[2] / "data"


def entry(images: int, fid: float, n: int = 2000, **others: float) -> dict[str, Any]:
    return {"images": images, "n": n, "fid": fid, "precision": 0.9, "recall": 0.9, "coverage": 0.9} | others


LOSSES = {"images": 5, "d_loss": 1.0, "g_loss": 1.0}
STUCK = {"precision": 0.7, "recall": 0.0, "coverage": 0.05}


def test_the_best_has_the_lowest_fid() -> None:
    assert history.best([], FID) is None
    assert history.best([LOSSES, {"images": 9, "warning": "collapsed"}], FID) is None
    entries = [LOSSES, entry(1, 3.0), LOSSES, entry(2, 1.0), entry(3, 2.0)]
    assert history.best(entries, FID) == entries[3]


def test_evaluations_of_more_images_decide() -> None:
    """The lowest of many values of few images is partly luck."""
    entries = [entry(1, 1.0), entry(2, 0.9), entry(2, 0.8, n=10_000), entry(1, 0.7, n=10_000)]
    assert history.best(entries, FID) == entries[3]


@pytest.mark.parametrize(
    ("scores", "collapsed"),
    [
        (STUCK, True),
        (STUCK | {"recall": 0.04, "coverage": 0.5}, True),  # ten pictures per class
        (STUCK | {"recall": 0.0, "coverage": 0.11}, True),  # one picture per class
        (STUCK | {"recall": 0.5, "coverage": 0.07}, False),  # hinge after a minute: strokes that pass for digits
        (STUCK | {"recall": 0.05, "coverage": 0.08}, False),
        (STUCK | {"precision": 0.59}, False),  # not collapsed but untrained
        (STUCK | {"precision": 0.6}, True),
    ],
)
def test_collapse_is_few_good_pictures_twice_in_a_row(scores: dict[str, float], collapsed: bool) -> None:
    bad, good = entry(1, 9.0, **scores), entry(1, 1.0)
    assert not history.has_collapsed([bad])
    assert not history.has_collapsed([bad, good])
    assert not history.has_collapsed([bad, good, bad])
    assert history.has_collapsed([good, bad, LOSSES, bad]) == collapsed
    assert history.collapses_now([good, bad, bad]) == collapsed
    assert not history.collapses_now([bad, bad, bad])
    assert history.has_collapsed([bad, bad, bad]) == collapsed


@pytest.fixture(scope="module")
def network() -> FeatureNetwork:
    path = shipped_features("mnist")
    assert path is not None
    return FeatureNetwork.load(path, "cpu", 1)


@pytest.fixture(scope="module")
def digits_of_the_test_split() -> Dataset:
    return load_dataset("mnist", "test", DATA, offline=True)


@pytest.fixture(scope="module")
def real(network: FeatureNetwork, digits_of_the_test_split: Dataset) -> np.ndarray:
    """Features [3000, d] of real digits."""
    return network.measure([digits_of_the_test_split.images[:3000]]).features


@pytest.mark.parametrize(("pictures", "collapsed"), [(1, True), (5, True), (100, False)])
def test_real_digits_drawn_again_and_again_are_a_collapse(
    network: FeatureNetwork, digits_of_the_test_split: Dataset, real: np.ndarray, pictures: int, collapsed: bool
) -> None:
    """So many per class, each time a little different: nearly all of them pass, and none looks like a mistake."""
    dataset, rng = digits_of_the_test_split, np.random.default_rng(0)
    known = np.concatenate([rng.choice(np.flatnonzero(dataset.labels == i), pictures) for i in range(10)])
    kept, other = (dataset.images[rng.choice(some, 1500)].astype(np.float64) for some in (known, np.arange(10_000)))
    drawn = (0.95 * kept + 0.05 * other).astype(np.uint8)
    found = neighbourhood_metrics(real, network.measure([drawn]).features)
    scores = {"precision": found.precision, "recall": found.recall, "coverage": found.coverage}
    assert found.precision > 0.6
    assert history.repeats_itself(scores) == collapsed


def test_progress_is_a_lower_fid() -> None:
    assert history.without_progress([], FID) == 0
    entries = [entry(i, fid) for i, fid in enumerate((5.0, 3.0, 4.0, 3.0, 3.5))]
    assert [history.without_progress(entries[:i], FID) for i in range(1, 6)] == [0, 0, 1, 2, 3]
    assert history.without_progress([*entries, entry(9, 0.1, n=10_000)], FID) == 3
