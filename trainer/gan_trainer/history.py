"""What the evaluations of a run say together: which was best, whether the generator collapsed or still improves.

An evaluation is an entry of metrics.jsonl with a `fid`; `n` is the number of images that it drew. Only those of equal n
can be compared.
"""

from collections.abc import Sequence
from typing import Any

SAMPLES, FINAL_SAMPLES = 2_000, 10_000
Entry = dict[str, Any]

PLAUSIBLE = 0.6  # precision from which on images pass for real ones: what is below is not collapsed but untrained
FEW_REACHED, FEW_COVERED = 0.05, 0.08  # recall and coverage of a generator that repeats itself
COLLAPSED = (
    "collapsed: precision {precision:.2f}, recall {recall:.2f}, coverage {coverage:.2f}, twice in a row: the generator "
    "draws few good pictures again and again; try another --seed, a lower --lr or --augment, in a new run"
)


def evaluations(entries: Sequence[Entry], n: int | None = None) -> list[Entry]:
    """Those of n images, in order; those during the run if n is None."""
    return [entry for entry in entries if entry.get("n") == (n or SAMPLES) and _is_whole(entry)]


def best(entries: Sequence[Entry]) -> Entry | None:
    """The one with the lowest FID: of those at the end, which draw more images, if there are any."""
    found = evaluations(entries, FINAL_SAMPLES) or evaluations(entries)
    return min(found, key=lambda entry: float(entry["fid"]), default=None)


def has_collapsed(entries: Sequence[Entry]) -> bool:
    """Whether the last two evaluations show few good pictures, again and again."""
    return len(evaluations(entries)) > 1 and all(map(_repeats_itself, evaluations(entries)[-2:]))


def collapses_now(entries: Sequence[Entry]) -> bool:
    """As `has_collapsed`, but only the first time of several in a row."""
    return has_collapsed(entries) and not has_collapsed(evaluations(entries)[:-1])


def without_progress(entries: Sequence[Entry]) -> int:
    """How many evaluations came after the best one."""
    fids = [entry["fid"] for entry in evaluations(entries)]
    return len(fids) - 1 - fids.index(min(fids)) if fids else 0


def _is_whole(entry: Entry) -> bool:
    values = (entry.get(name) for name in ("fid", "precision", "recall", "coverage"))
    return all(isinstance(value, float | int) for value in values)


def _repeats_itself(entry: Entry) -> bool:
    """Whether one evaluation shows few good pictures, again and again."""
    few = entry["recall"] < FEW_REACHED or entry["coverage"] < FEW_COVERED
    return bool(entry["precision"] >= PLAUSIBLE and few)
