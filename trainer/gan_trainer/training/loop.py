"""The one training loop: steps, log, preview, evaluation, checkpoint."""

import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from gan_runtime.data import Dataset
from gan_runtime.images.grids import grid
from gan_runtime.laboratory.scatter import scatter
from gan_trainer.data.batches import Batches
from gan_trainer.evaluation import history
from gan_trainer.evaluation.run import evaluate, evaluate_at_the_end
from gan_trainer.runs.logbook import Logbook
from gan_trainer.tasks.drawing import draw_images
from gan_trainer.tasks.judge import AnyJudge
from gan_trainer.training.checkpoint import save_checkpoint
from gan_trainer.training.config import Config
from gan_trainer.training.schedule import set_learning_rate
from gan_trainer.training.state import TrainState
from gan_trainer.training.stop import StopRequest

PREVIEW_IMAGES, PREVIEW_COLUMNS, PREVIEW_POINTS = 100, 10, 2_500
STEPS_BETWEEN_CHECKS = {"cpu": 1, "cuda": 50}  # reading a loss makes the host wait for a GPU


@dataclass(frozen=True)
class Outcome:
    """How a run ended. `signal` is the number of the signal that stopped it; `verdict` what its evaluations said.

    A run that has its full length has `finished`, whatever its last evaluation says.
    """

    checkpoint: Path
    picture: Path
    signal: int | None
    verdict: str | None
    finished: bool


class Clock:
    """Seconds of training over all sittings of a run, and images per second in this one, evaluations not counted."""

    def __init__(self, state: TrainState) -> None:
        self._began = time.perf_counter()
        self._state, self._evaluated = state, state.eval_seconds
        self._seconds, self._images = state.seconds, state.images_seen
        self.speed = 0.0

    def tick(self) -> None:
        """Bring the state's seconds and the speed up to now."""
        elapsed = time.perf_counter() - self._began - (self._state.eval_seconds - self._evaluated)
        self._state.seconds = self._seconds + elapsed
        self.speed = (self._state.images_seen - self._images) / elapsed


def train(
    config: Config,
    dataset: Dataset,
    state: TrainState,
    book: Logbook,
    judge: AnyJudge | None = None,
    stop: StopRequest | None = None,
) -> Outcome:
    """Train until the recipe's length is reached, or until `stop` or the evaluations say to stop.

    Always ends with a checkpoint. Signals are left to the program: one that wants Ctrl-C and SIGTERM to end the run at
    its next step enters a `StopRequest` around the call, as gan-train does.

    Args:
        config: all settings of the run.
        dataset: its images.
        state: as `start_state` made it.
        book: where to tell what happens.
        judge: what the generator is evaluated with, if it is.
        stop: ends the run at its next step once it has a `number`, which any thread may give it.

    Raises:
        Diverged: a loss or weight is not finite; the last good checkpoint remains.
        OutputError: the disk is full; the last good checkpoint remains.
    """
    recipe, run = config.recipe, book.run
    batches = Batches(dataset, recipe.batch_size, config.seed, torch.device(config.device))
    if judge is not None:
        run.write_floors(judge.floors(history.SAMPLES))
    clock, verdict = Clock(state), None
    stop = stop or StopRequest()
    while state.images_seen < recipe.images and stop.number is None and verdict is None:
        set_learning_rate(state, recipe)
        began = time.process_time()
        state.meter.add(state.system.step(state, recipe, *batches.at(state.images_seen)))
        state.cpu_seconds += time.process_time() - began
        state.step += 1
        state.images_seen += recipe.batch_size
        clock.tick()
        verdict = _after_step(config, state, book, judge, clock.speed)
    finished = state.images_seen >= recipe.images
    if finished and state.meter.steps:
        book.losses(state, clock.speed)
    if (finished or verdict) and judge is not None:
        entries = evaluate_at_the_end(config, state, book, judge)
        verdict = verdict or _verdict(config, entries, ended=True)
    book.reporter.finish(state.images_seen)
    checkpoint = save_checkpoint(run.checkpoints, state, config, run.best_images(state.images_seen))
    picture = preview(config, state, book)
    book.report()
    return Outcome(checkpoint, picture, None if finished else stop.number, verdict, finished)


def _after_step(config: Config, state: TrainState, book: Logbook, judge: AnyJudge | None, speed: float) -> str | None:
    """Check, show, log, preview, evaluate and save, each when its time has come; why to stop, if there is a reason."""
    recipe, verdict, improved = config.recipe, None, False

    def due(every: int) -> bool:
        return (state.images_seen - recipe.batch_size) // every != state.images_seen // every

    if state.step % STEPS_BETWEEN_CHECKS[config.device] == 0:
        state.meter.check(state.step)
    if book.reporter.due():
        book.reporter.update(state.images_seen, state.meter.mean(), speed)
    if due(recipe.log_every):
        book.losses(state, speed)
    if state.images_seen >= recipe.images:
        return None  # the end is evaluated and saved in another way
    if judge is not None and due(recipe.eval_every):
        entries = evaluate(config, state, book, judge)
        improved, verdict = history.improves(entries), _verdict(config, entries)
    if due(recipe.checkpoint_every) or improved:
        save_checkpoint(book.run.checkpoints, state, config, book.run.best_images(state.images_seen))
    if due(recipe.preview_every):
        book.reporter.say(f"picture: {preview(config, state, book)}")
        book.report()
    return verdict


def _verdict(config: Config, entries: list[history.Entry], *, ended: bool = False) -> str | None:
    """What the evaluations say to, once all images are seen (`ended`) only whether the generator collapsed."""
    recipe = config.recipe
    if recipe.stop_when_collapsed and history.has_collapsed(entries):
        return "collapsed"
    if recipe.patience and not ended and history.without_progress(entries) >= recipe.patience:
        return "patience"
    return None


def preview(config: Config, state: TrainState, book: Logbook) -> Path:
    """A grid of the same latents every time, by the averaged generator; of points a scatter plot on the same axes."""
    points = config.data.points
    if points:
        drawn = np.concatenate(list(draw_images(state.averaged("generator"), config, PREVIEW_POINTS)))
        return book.picture(state, scatter(drawn, points.extent, points))
    images = np.concatenate(list(draw_images(state.averaged("generator"), config, PREVIEW_IMAGES)))
    return book.picture(state, grid(images, PREVIEW_COLUMNS))
