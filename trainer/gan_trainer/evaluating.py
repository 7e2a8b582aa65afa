"""Evaluations of a run: when it is their turn, and at its end."""

import time
from copy import deepcopy
from typing import Any

from torch import nn

from gan_runtime.evaluation import Scores
from gan_trainer import history
from gan_trainer.checkpoint import checkpoint_path, load_checkpoint
from gan_trainer.config import Config
from gan_trainer.judge import Judge
from gan_trainer.logbook import Logbook
from gan_trainer.state import TrainState


def evaluate(config: Config, state: TrainState, book: Logbook, judge: Judge) -> list[history.Entry]:
    """Measure the averaged generator, log and show what comes out; returns all entries of the run."""
    _measure(config, state, book, judge, state.average, (history.SAMPLES,))
    entries = book.run.entries()
    if history.collapses_now(entries):
        book.warn(state, history.COLLAPSED.format(**history.evaluations(entries)[-1]))
    return entries


def evaluate_at_the_end(config: Config, state: TrainState, book: Logbook, judge: Judge) -> None:
    """Measure with more images: the last generator, and the one that was best so far if that is another one."""
    _measure(config, state, book, judge, state.average, (history.SAMPLES, history.FINAL_SAMPLES))
    entries = book.run.entries()
    if history.collapses_now(entries):
        book.warn(state, history.COLLAPSED.format(**history.evaluations(entries)[-1]))
    best = min(history.evaluations(entries), key=lambda entry: float(entry["fid"]))
    path = checkpoint_path(book.run.checkpoints, best["images"])
    if best["images"] != state.images_seen and path.exists():
        earlier = deepcopy(state.average)
        earlier.load_state_dict(load_checkpoint(path)["average"])
        place = {key: best[key] for key in ("images", "step", "seconds")}
        _measure(config, state, book, judge, earlier, (history.FINAL_SAMPLES,), place)
    book.run.write_floors(judge.floors(history.SAMPLES, history.FINAL_SAMPLES))


def _measure(
    config: Config,
    state: TrainState,
    book: Logbook,
    judge: Judge,
    generator: nn.Module,
    counts: tuple[int, ...],
    place: dict[str, Any] | None = None,
) -> None:
    """Log the scores of `generator`, which belongs to another `place` of the run if it is an earlier one."""
    began = time.perf_counter()
    found = judge.scores(generator, config, *counts)
    seconds = time.perf_counter() - began
    state.eval_seconds += seconds
    for n, scores in zip(counts, found, strict=True):
        book.write(state, {"n": n} | scores.to_dict() | {"eval_seconds": round(seconds, 3)} | (place or {}))
    images = (place or {}).get("images", state.images_seen)
    book.reporter.say(
        f"evaluated after {images:,} images: {_shown(found[-1], judge.floor(counts[-1]))} ({counts[-1]:,} samples)"
    )


def _shown(scores: Scores, floor: float) -> str:
    return (
        f"FID {scores.fid:.3f} (test images {floor:.3f})  precision {scores.precision:.2f}  "
        f"recall {scores.recall:.2f}  coverage {scores.coverage:.2f}"
    )
