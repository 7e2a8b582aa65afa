"""Evaluations of a run: when it is their turn, and at its end."""

import time
from copy import deepcopy
from dataclasses import asdict
from typing import Any

from torch import nn

from gan_runtime.errors import GanEdgeError
from gan_trainer.evaluation import history
from gan_trainer.runs.logbook import Logbook
from gan_trainer.tasks.judge import AnyJudge
from gan_trainer.training.checkpoint import CONTENT_ERRORS, averaged_weights, checkpoint_path, load_checkpoint
from gan_trainer.training.config import Config
from gan_trainer.training.state import TrainState


def evaluate(config: Config, state: TrainState, book: Logbook, judge: AnyJudge) -> list[history.Entry]:
    """Measure the averaged generator, log and show what comes out; returns all entries of the run."""
    _measure(config, state, book, judge, state.averaged("generator"), (history.SAMPLES,))
    return _watched(state, book)


def evaluate_at_the_end(config: Config, state: TrainState, book: Logbook, judge: AnyJudge) -> list[history.Entry]:
    """Measure with more images: the last generator, and the one that was best so far if that is another one.

    Returns:
        All entries of the run until then; those of more images are not among them.
    """
    counts = (history.SAMPLES, history.FINAL_SAMPLES)
    known = any(entry["images"] == state.images_seen for entry in history.evaluations(book.run.entries()))
    _measure(config, state, book, judge, state.averaged("generator"), counts[1:] if known else counts)
    entries = book.run.entries() if known else _watched(state, book)
    best = min(history.evaluations(entries), key=lambda entry: float(entry["fid"]), default=None)  # of images
    earlier = _earlier(state, book, best["images"]) if best and best["images"] != state.images_seen else None
    if best and earlier is not None:
        place: dict[str, Any] = {key: best[key] for key in ("images", "step", "seconds", "cpu_seconds") if key in best}
        _measure(config, state, book, judge, earlier, counts[1:], place)
    book.run.write_floors(judge.floors(*counts))
    return entries


def _watched(state: TrainState, book: Logbook) -> list[history.Entry]:
    """All entries, after a warning if the last evaluation gives reason to one."""
    entries = book.run.entries()
    if history.collapses_now(entries):
        book.warn(state, history.COLLAPSED.format(**history.evaluations(entries)[-1]))
    return entries


def _earlier(state: TrainState, book: Logbook, images: int) -> nn.Module | None:
    """The averaged generator as it was after so many images; None where its checkpoint is gone or damaged."""
    generator = deepcopy(state.averaged("generator"))
    try:
        saved = load_checkpoint(checkpoint_path(book.run.checkpoints, images))
        generator.load_state_dict(averaged_weights(saved, "generator"))
    except (GanEdgeError, *CONTENT_ERRORS) as error:
        book.reporter.say(f"not measured again after {images:,} images: {error}")
        return None
    return generator


def _measure(
    config: Config,
    state: TrainState,
    book: Logbook,
    judge: AnyJudge,
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
        book.write(state, {"n": n} | asdict(scores) | {"eval_seconds": round(seconds, 3)} | (place or {}))
    images = (place or {}).get("images", state.images_seen)
    words = judge.words(found[-1], counts[-1])
    book.reporter.say(f"evaluated after {images:,} images: {words} ({counts[-1]:,} samples)")
