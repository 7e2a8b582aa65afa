"""The history of a run's evaluations: which one is best, whether the generator has collapsed or still improves.

An evaluation is an entry of metrics.jsonl with an `n`, the number of samples that were measured. Only evaluations with
the same n can be compared, by the number that the task names (`Best`); where it names none, no evaluation is the best.
Those during training have `SAMPLES` samples, or all that there are; final ones have `FINAL_SAMPLES`.
"""

import math
from collections.abc import Sequence

from gan_trainer.tasks.task import Best, Entry

SAMPLES, FINAL_SAMPLES = 2_000, 10_000

PLAUSIBLE = 0.6  # least precision of a collapsed generator: below it, the generator is untrained
FEW_REACHED = 0.05  # recall below which a generator is collapsed
FEATURES = "features"  # the key of an entry that says in which features, by SHA-256, later evaluations are made
NUMBERS = ("precision", "recall", "coverage")  # the first two define a collapse; the message shows all
MEMORISED = (
    "memorised: {copied:.0%} of the samples are nearer to a training image than any held-out image is, and a sample is "
    "nearer than a held-out image in {nearer:.0%} of the cases: the generator repeats training images; stop earlier, "
    "use more images, or --augment"
)
OTHER_FEATURES = (
    "measured with other features: the network {before} that this run was measured with is gone; {now} takes its "
    "place, and earlier evaluations count only if their checkpoint is kept and can be measured again"
)
COLLAPSED = (
    "collapsed: precision {precision:.2f}, recall {recall:.2f}, coverage {coverage:.2f}, twice in a row: the generator "
    "repeats few images; start a new run with another --seed, a lower --lr or --augment"
)


def comparable(entries: Sequence[Entry]) -> list[Entry]:
    """All entries but the evaluations with another feature network than the last one."""
    changed = max((index for index, entry in enumerate(entries) if FEATURES in entry), default=0)
    return [entry for index, entry in enumerate(entries) if index >= changed or "n" not in entry]


def during_training(entry: Entry) -> bool:
    """Whether an entry is an evaluation with as many samples as those during training have."""
    return isinstance(entry.get("n"), int) and not is_final(entry)


def is_final(entry: Entry) -> bool:
    """Whether an entry is an evaluation with the larger number of samples at the end of a run."""
    return entry.get("n") == FINAL_SAMPLES


def evaluations(entries: Sequence[Entry], by: Best | None, *, final: bool = False) -> list[Entry]:
    """The evaluations made during training, or the `final` ones, in order."""
    names = () if by is None else (by.key, *by.beside)
    fits = is_final if final else during_training
    return [entry for entry in entries if names and fits(entry) and _is_whole(entry, names)]


def best(entries: Sequence[Entry], by: Best | None) -> Entry | None:
    """The best evaluation: a final one, which draws more samples, if there is one."""
    found = evaluations(entries, by, final=True) or evaluations(entries, by)
    return min(found, key=by.loss, default=None) if by else None


def measured(entries: Sequence[Entry]) -> list[Entry]:
    """The evaluations during training that have the metrics in which a collapse shows."""
    return [entry for entry in entries if during_training(entry) and _is_whole(entry, NUMBERS)]


def memorises_now(entries: Sequence[Entry]) -> bool:
    """Whether the samples repeat training images in the last two evaluations, for the first time."""
    flags = [bool(entry["memorised"]) for entry in entries if during_training(entry) and "memorised" in entry]
    return flags[-2:] == [True, True] and flags[-3:-2] != [True]


def has_collapsed(entries: Sequence[Entry]) -> bool:
    """Whether the last two evaluations both show a collapse; a single one may be noise."""
    return len(measured(entries)) > 1 and all(map(repeats_itself, measured(entries)[-2:]))


def collapses_now(entries: Sequence[Entry]) -> bool:
    """As `has_collapsed`, but only for the first of several consecutive evaluations."""
    return has_collapsed(entries) and not has_collapsed(measured(entries)[:-1])


def improves(entries: Sequence[Entry], by: Best | None) -> bool:
    """Whether the last evaluation is the best one so far."""
    return bool(evaluations(entries, by)) and without_progress(entries, by) == 0


def without_progress(entries: Sequence[Entry], by: Best | None) -> int:
    """Number of evaluations after the best one."""
    losses = [by.loss(entry) for entry in evaluations(entries, by)] if by else []
    return len(losses) - 1 - losses.index(min(losses)) if losses else 0


def repeats_itself(scores: Entry) -> bool:
    """Whether the generated images are plausible (precision) but hardly vary (recall).

    This is the only definition of collapse, for runs in training and for exported files. Recall is the share of real
    images inside the balls around the generated ones; the balls of repeated images have radius 0. Coverage is not
    used, for two reasons: five images per class, repeated, cover up to a third of the real digits; and an untrained
    generator may have low coverage with high recall (`hinge` after a minute: precision .69, recall .51, coverage .07).
    Below the minimum precision, the generator is untrained, and collapse is undefined.
    """
    if not _is_whole(scores, NUMBERS[:2]):
        return False
    return bool(scores["precision"] >= PLAUSIBLE and scores["recall"] < FEW_REACHED)


def _is_whole(entry: Entry, names: Sequence[str]) -> bool:
    values = [entry.get(name) for name in names]
    return all(isinstance(value, float | int) and math.isfinite(value) for value in values)
