"""The one training loop: steps, log, preview, checkpoint."""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from gan_runtime.datasets import Dataset
from gan_runtime.images import grid, save_png
from gan_runtime.latents import default_labels, draw_latents
from gan_trainer.checkpoint import save_checkpoint
from gan_trainer.config import Config
from gan_trainer.data import Batches
from gan_trainer.determinism import settle_math_library
from gan_trainer.networks import build_networks
from gan_trainer.pixels import denormalise, to_pixels
from gan_trainer.progress import Reporter
from gan_trainer.runs import Run
from gan_trainer.signals import StopRequest
from gan_trainer.state import TrainState, new_state, set_learning_rate
from gan_trainer.steps.latent import train_step
from gan_trainer.tensorboard import Board

PREVIEW_IMAGES, PREVIEW_COLUMNS = 100, 10
STEPS_BETWEEN_CHECKS = {"cpu": 1, "cuda": 50}  # reading a loss makes the host wait for a GPU


@dataclass(frozen=True)
class Outcome:
    """How a run ended. `signal` is the number of the signal that stopped it, None for a finished run."""

    checkpoint: Path
    picture: Path
    signal: int | None


class Clock:
    """Seconds of training over all sittings of a run, and images per second in this one."""

    def __init__(self, state: TrainState) -> None:
        self._began = time.perf_counter()
        self._seconds, self._images = state.seconds, state.images_seen
        self.speed = 0.0

    def tick(self, state: TrainState) -> None:
        """Bring `state.seconds` and the speed up to now."""
        elapsed = time.perf_counter() - self._began
        state.seconds = self._seconds + elapsed
        self.speed = (state.images_seen - self._images) / elapsed


def start_state(config: Config, saved: dict[str, Any] | None = None) -> TrainState:
    """The state of a new run, or that of a checkpoint. Seeds torch and sets its number of threads.

    Args:
        config: recipe, size of the images, classes, seed, device and threads.
        saved: what `load_checkpoint` returned, for a run that goes on.
    """
    torch.set_num_threads(config.threads)
    torch.manual_seed(config.seed)
    settle_math_library()
    generator, discriminator = build_networks(config.recipe, config.data.size, len(config.conditions))
    state = new_state(generator, discriminator, config.recipe, torch.device(config.device))
    if saved is not None:
        state.load_state_dict(saved)
    return state


def train(
    config: Config, dataset: Dataset, state: TrainState, run: Run, reporter: Reporter, board: Board | None = None
) -> Outcome:
    """Train until the recipe's length is reached, or until Ctrl-C or SIGTERM; always ends with a checkpoint.

    Raises:
        Diverged: a loss or weight is not finite; the last good checkpoint remains.
        OutputError: the disk is full; the last good checkpoint remains.
    """
    recipe = config.recipe
    batches = Batches(dataset, recipe.batch_size, config.seed, torch.device(config.device))
    clock = Clock(state)
    with StopRequest() as stop:
        while state.images_seen < recipe.images and stop.number is None:
            set_learning_rate(state, recipe)
            state.meter.add(train_step(state, recipe, *batches.at(state.images_seen)))
            state.step += 1
            state.images_seen += recipe.batch_size
            clock.tick(state)
            _after_step(config, state, run, reporter, board, clock.speed)
        reporter.finish(state.images_seen)
        checkpoint = save_checkpoint(run.checkpoints, state, config)
        picture = preview(config, state, run, board)
    finished = state.images_seen >= recipe.images
    return Outcome(checkpoint, picture, None if finished else stop.number)


def _after_step(
    config: Config, state: TrainState, run: Run, reporter: Reporter, board: Board | None, speed: float
) -> None:
    """Check, show, log, preview and save, each when its time has come."""
    recipe = config.recipe

    def due(every: int) -> bool:
        return (state.images_seen - recipe.batch_size) // every != state.images_seen // every

    if state.step % STEPS_BETWEEN_CHECKS[config.device] == 0:
        state.meter.check(state.step)
    if reporter.due():
        reporter.update(state.images_seen, state.meter.mean(), speed)
    if due(recipe.log_every):
        log(state, run, reporter, board, speed)
    if due(recipe.preview_every):
        reporter.say(f"picture: {preview(config, state, run, board)}")
    if due(recipe.checkpoint_every):
        save_checkpoint(run.checkpoints, state, config)


def log(state: TrainState, run: Run, reporter: Reporter, board: Board | None, speed: float) -> None:
    """Write the mean losses since the last entry to metrics.jsonl, and show them."""
    state.meter.check(state.step)
    d_loss, g_loss = state.meter.mean()
    state.meter.reset()
    reporter.logged(state.images_seen, (d_loss, g_loss), speed)
    entry = {
        "images": state.images_seen,
        "step": state.step,
        "seconds": round(state.seconds, 3),
        "d_loss": d_loss,
        "g_loss": g_loss,
        "lr": state.g_optimizer.param_groups[0]["lr"],
        "images_per_second": round(speed, 1),
    }
    run.log(entry)
    if board is not None:
        board.scalars(entry)


@torch.no_grad()
def preview(config: Config, state: TrainState, run: Run, board: Board | None = None) -> Path:
    """A grid of the same latents every time, by the averaged generator; touches no random number of the training."""
    z = torch.from_numpy(draw_latents(0, 0, PREVIEW_IMAGES, config.recipe.latent_dim)).to(config.device)
    labels = torch.from_numpy(default_labels(0, PREVIEW_IMAGES, max(1, len(config.conditions)))).to(config.device)
    training = state.average.training
    images = state.average.eval()(z, *((labels,) if config.conditions else ()))
    state.average.train(training)
    pixels = to_pixels(denormalise(images.float())).cpu().numpy()
    path = run.samples / f"{state.images_seen:012d}.png"
    picture = grid(pixels, PREVIEW_COLUMNS)
    save_png(path, picture)
    if board is not None:
        board.picture(state.images_seen, picture)
    return path
