"""What evaluations say together."""

from typing import Any

import pytest

from gan_trainer.evaluation import history


def entry(images: int, fid: float, n: int = 2000, **others: float) -> dict[str, Any]:
    return {"images": images, "n": n, "fid": fid, "precision": 0.9, "recall": 0.9, "coverage": 0.9} | others


LOSSES = {"images": 5, "d_loss": 1.0, "g_loss": 1.0}
STUCK = {"precision": 0.7, "recall": 0.0, "coverage": 0.05}


def test_the_best_has_the_lowest_fid() -> None:
    assert history.best([]) is None
    assert history.best([LOSSES, {"images": 9, "warning": "collapsed"}]) is None
    entries = [LOSSES, entry(1, 3.0), LOSSES, entry(2, 1.0), entry(3, 2.0)]
    assert history.best(entries) == entries[3]


def test_evaluations_of_more_images_decide() -> None:
    """The lowest of many values of few images is partly luck."""
    entries = [entry(1, 1.0), entry(2, 0.9), entry(2, 0.8, n=10_000), entry(1, 0.7, n=10_000)]
    assert history.best(entries) == entries[3]


@pytest.mark.parametrize(
    ("scores", "collapsed"),
    [
        (STUCK, True),
        (STUCK | {"recall": 0.04, "coverage": 0.19}, True),
        (STUCK | {"recall": 0.0, "coverage": 0.11}, True),  # one picture per class
        (STUCK | {"recall": 0.04, "coverage": 0.5}, False),  # a few real images reach far
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


def test_progress_is_a_lower_fid() -> None:
    assert history.without_progress([]) == 0
    entries = [entry(i, fid) for i, fid in enumerate((5.0, 3.0, 4.0, 3.0, 3.5))]
    assert [history.without_progress(entries[:i]) for i in range(1, 6)] == [0, 0, 1, 2, 3]
    assert history.without_progress([*entries, entry(9, 0.1, n=10_000)]) == 3
