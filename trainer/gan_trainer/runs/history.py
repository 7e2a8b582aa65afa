"""The history of a run's evaluations: which one is best, whether the generator has collapsed or still improves.

An evaluation is an entry of metrics.jsonl with a `fid`; `n` is the number of images that it drew. Only evaluations with
the same n can be compared.
"""

import math
from collections.abc import Sequence
from typing import Any

SAMPLES, FINAL_SAMPLES = 2_000, 10_000
Entry = dict[str, Any]

PLAUSIBLE = 0.6  # least precision of a collapsed generator: below it, the generator is untrained
FEW_REACHED = 0.05  # recall below which a generator repeats itself
COLLAPSED = (
    "collapsed: precision {precision:.2f}, recall {recall:.2f}, coverage {coverage:.2f}, twice in a row: the generator "
    "draws few good pictures again and again; try another --seed, a lower --lr or --augment, in a new run"
)


def evaluations(entries: Sequence[Entry], n: int | None = None) -> list[Entry]:
    """The evaluations of n images, in order; those made during training if n is None."""
    return [entry for entry in entries if entry.get("n") == (n or SAMPLES) and _is_whole(entry)]


def best(entries: Sequence[Entry]) -> Entry | None:
    """The evaluation with the lowest FID, among the final ones, which draw more images, if there are any."""
    found = evaluations(entries, FINAL_SAMPLES) or evaluations(entries)
    return min(found, key=lambda entry: float(entry["fid"]), default=None)


def has_collapsed(entries: Sequence[Entry]) -> bool:
    """Whether the generator repeats itself in the last two evaluations: one alone may be noise."""
    return len(evaluations(entries)) > 1 and all(map(repeats_itself, evaluations(entries)[-2:]))


def collapses_now(entries: Sequence[Entry]) -> bool:
    """As `has_collapsed`, but only the first time of several in a row."""
    return has_collapsed(entries) and not has_collapsed(evaluations(entries)[:-1])


def improves(entries: Sequence[Entry]) -> bool:
    """Whether the last evaluation is the best one so far. Evaluations of points have no FID and are never the best."""
    return bool(evaluations(entries)) and without_progress(entries) == 0


def without_progress(entries: Sequence[Entry]) -> int:
    """How many evaluations came after the best one."""
    fids = [entry["fid"] for entry in evaluations(entries)]
    return len(fids) - 1 - fids.index(min(fids)) if fids else 0


def repeats_itself(scores: Entry) -> bool:
    """Whether images are good one by one and repeat each other, so that hardly any real one is within their reach.

    The one definition of collapse, for a run in training and for an exported file. Recall is the share of real images
    inside the balls around the generated ones, which shrink to nothing where those lie upon each other. Coverage
    decides nothing: five pictures per class, each drawn again and again, cover up to a third of the real digits, and
    a generator that has hardly begun may cover little and yet reach half of them (`hinge` after a minute: precision
    .69, recall .51, coverage .07). Of images that are not even plausible nobody can say it.
    """
    if not _is_whole(scores, ("precision", "recall")):
        return False
    return bool(scores["precision"] >= PLAUSIBLE and scores["recall"] < FEW_REACHED)


def _is_whole(entry: Entry, names: Sequence[str] = ("fid", "precision", "recall", "coverage")) -> bool:
    values = [entry.get(name) for name in names]
    return all(isinstance(value, float | int) and math.isfinite(value) for value in values)
