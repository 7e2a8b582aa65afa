"""The training loop of all systems: steps, log, evaluation, checkpoint, preview."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from gan_runtime.data import Dataset
from gan_trainer.recipes.recipe import Recipe
from gan_trainer.training.batches import batches_of
from gan_trainer.training.checkpoint import save_checkpoint
from gan_trainer.training.config import Config
from gan_trainer.training.determinism import fast_on_gpu, number_of_threads
from gan_trainer.training.distributed.exchange import average_buffers, mean_losses
from gan_trainer.training.distributed.processes import seed_of
from gan_trainer.training.logbook import Logbook
from gan_trainer.training.schedule import set_learning_rate
from gan_trainer.training.state import TrainState
from gan_trainer.training.stop import StopRequest

STEPS_BETWEEN_CHECKS = {"cpu": 1, "cuda": 50}  # reading a loss makes the host wait for a GPU
Preview = Callable[[Config, TrainState, Dataset], NDArray[np.uint8]]  # draws a grid of samples, uint8 [h, w, c]


@dataclass(frozen=True)
class Outcome:
    """How a run ended: `signal` is the number of the signal that stopped it, `verdict` the reason of an evaluation.

    `finished` is true if the run has reached its full length, whatever its last evaluation says.
    """

    checkpoint: Path
    picture: Path
    signal: int | None
    verdict: str | None
    finished: bool


@dataclass(frozen=True)
class Evaluation:
    """The result of an evaluation: whether it is the best one so far, and the reason to stop, if there is one."""

    improved: bool = False
    verdict: str | None = None


class Evaluator(Protocol):
    """Evaluates a run during training."""

    def begin(self, state: TrainState, book: Logbook) -> None:
        """Compute the reference scores, before the first step of this call."""

    def during(self, state: TrainState, book: Logbook) -> Evaluation:
        """Evaluate the current generator."""

    def at_the_end(self, state: TrainState, book: Logbook) -> str | None:
        """Evaluate the last generator and the best one with more images; returns "collapsed" if the run has failed."""


class Clock:
    """Seconds of training over all calls of a run, and images per second in this call, both without evaluations."""

    def __init__(self, state: TrainState) -> None:
        self._began = time.perf_counter()
        self._state, self._evaluated = state, state.eval_seconds
        self._seconds, self._images = state.seconds, state.images_seen

    def tick(self) -> None:
        """Bring the state's seconds and speed up to now."""
        elapsed = time.perf_counter() - self._began - (self._state.eval_seconds - self._evaluated)
        self._state.seconds = self._seconds + elapsed
        self._state.speed = (self._state.images_seen - self._images) / elapsed


def run_loop(
    config: Config,
    dataset: Dataset,
    state: TrainState,
    book: Logbook,
    preview: Preview,
    evaluator: Evaluator | None = None,
    stop: StopRequest | None = None,
) -> Outcome:
    """Train until the recipe's length is reached, or until `stop` or an evaluation says to stop.

    A checkpoint is always saved at the end. No signal handler is installed: to end the run on Ctrl-C or SIGTERM after
    the current step, make the call within a `StopRequest`, as gan-train does. The states of torch's default generators
    and its number of threads are set during the call and restored afterwards.

    Args:
        config: all settings of the run.
        dataset: its images.
        state: as `systems.start_state` made it.
        book: the run's folder and observers. In a run of several processes, the first one alone writes and draws and
            evaluates; the others have no observers and no evaluator.
        preview: draws the grid of samples; must not change the state.
        evaluator: evaluates the generator; None for no evaluations.
        stop: the run ends after the current step once its `number` is set, from any thread.

    Raises:
        Diverged: a loss or weight is not finite; the last good checkpoint remains.
        OutputError: the disk is full; the last good checkpoint remains.
        LostProcess: another process of the run has ended.
    """
    with number_of_threads(config.threads), fast_on_gpu(state.device), state.random.used():
        return _run(config, dataset, state, book, preview, evaluator, stop or StopRequest())


def _run(
    config: Config,
    dataset: Dataset,
    state: TrainState,
    book: Logbook,
    preview: Preview,
    evaluator: Evaluator | None,
    stop: StopRequest,
) -> Outcome:
    recipe = config.recipe
    processes = state.processes
    batches = batches_of(config, dataset, processes)
    processes.of_first(lambda: evaluator.begin(state, book) if evaluator else None)
    clock, verdict, signal = Clock(state), None, None
    while state.images_seen < recipe.images and (signal := _signal(config, state, stop)) is None and verdict is None:
        set_learning_rate(state, recipe)
        began = time.process_time()
        make_step(config, state, batches.at(state.images_seen))
        state.cpu_seconds += time.process_time() - began
        state.step += 1
        state.images_seen += recipe.batch_size
        clock.tick()
        if state.step % STEPS_BETWEEN_CHECKS[config.device] == 0:
            state.meter.check(state.step)
        for observer in book.observers:
            observer.stepped(state)
        if _is_due(recipe, state):
            verdict = processes.of_first(lambda: _after_step(config, dataset, state, book, preview, evaluator))
            _stay_equal(recipe, state)
    return processes.of_first(lambda: _end(config, dataset, state, book, preview, evaluator, verdict, signal))


def make_step(config: Config, state: TrainState, batch: dict[str, Tensor]) -> None:
    """Make one step on this process's part of a batch, which changes the states of all processes alike."""
    processes, recipe = state.processes, config.recipe
    if not processes.alone:
        state.random.seed(seed_of(config.seed, state.step, processes.rank))
    losses = state.system.step(state, recipe, **batch)
    average_buffers(processes, [*state.networks.values(), *state.averages.values()])
    state.meter.add(mean_losses(processes, losses))


def _signal(config: Config, state: TrainState, stop: StopRequest) -> int | None:
    """The signal that ends the run, if there is one: all processes stop after the same step."""
    if state.step % STEPS_BETWEEN_CHECKS[config.device] and not state.processes.alone:
        return None
    return state.processes.largest(stop.number)


def _due(recipe: Recipe, state: TrainState, every: int) -> bool:
    """Whether the last step has completed another `every` images; False for 0."""
    return bool(every) and (state.images_seen - recipe.batch_size) // every != state.images_seen // every


def _is_due(recipe: Recipe, state: TrainState) -> bool:
    """Whether `_after_step` has anything to do."""
    intervals = recipe.log_every, recipe.eval_every, recipe.checkpoint_every, recipe.preview_every
    return any(_due(recipe, state, every) for every in intervals)


def _stay_equal(recipe: Recipe, state: TrainState) -> None:
    """Do in the other processes what changed the state of the first one when it logged and saved.

    A resumed run begins with the state of the first process; so that it equals one that never stopped on hosts with
    processors of several kinds, too, all processes take that state whenever checkpoints are saved.
    """
    processes = state.processes
    if not processes.first and _due(recipe, state, recipe.log_every):
        state.meter.reset()
    if _due(recipe, state, recipe.checkpoint_every) and state.images_seen < recipe.images:
        state.take_that_of_first()


def _end(
    config: Config,
    dataset: Dataset,
    state: TrainState,
    book: Logbook,
    preview: Preview,
    evaluator: Evaluator | None,
    verdict: str | None,
    signal: int | None,
) -> Outcome:
    """Log and evaluate what is left, save, and draw."""
    finished = state.images_seen >= config.recipe.images
    if finished and state.meter.steps:
        book.losses(state)
    if (finished or verdict) and evaluator is not None:
        found = evaluator.at_the_end(state, book)
        verdict = verdict or found
    for observer in book.observers:
        observer.ended(state)
    checkpoint = _save(config, state, book)
    picture = book.picture(state, preview(config, state, dataset))
    return Outcome(checkpoint, picture, None if finished else signal, verdict, finished)


def _after_step(
    config: Config, dataset: Dataset, state: TrainState, book: Logbook, preview: Preview, evaluator: Evaluator | None
) -> str | None:
    """Log, evaluate, save and preview, each if it is due; returns the reason to stop, if there is one."""
    recipe, found = config.recipe, Evaluation()

    def due(every: int) -> bool:
        return _due(recipe, state, every)

    if due(recipe.log_every):
        book.losses(state)
    if state.images_seen >= recipe.images:
        return None  # the end of the run is evaluated and saved separately
    if evaluator is not None and due(recipe.eval_every):
        found = evaluator.during(state, book)
    if due(recipe.checkpoint_every) or found.improved:
        _save(config, state, book)
    if due(recipe.preview_every):
        book.say(f"picture: {book.picture(state, preview(config, state, dataset))}")
    return found.verdict


def _save(config: Config, state: TrainState, book: Logbook) -> Path:
    """Save a checkpoint; the latest ones and the best one are kept."""
    path = save_checkpoint(book.run.checkpoints, state, config, book.run.best_images(state.images_seen))
    for observer in book.observers:
        observer.saved(state, path)
    return path
