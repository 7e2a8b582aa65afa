"""What a person sees of a long run: a bar on a terminal, plain lines elsewhere, all on stderr."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol, TypeAlias

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from gan_runtime.terminal.commandline import note, plain

Losses: TypeAlias = dict[str, float]  # means by name

REFRESH_SECONDS = 0.5


class Reporter(Protocol):
    """How the training loop tells where it is."""

    def due(self) -> bool:
        """Whether `update` would show anything now: reading losses from a device has a price."""

    def update(self, images_seen: int, losses: Losses, speed: float) -> None:
        """Where the run stands: real images seen, mean losses (discriminator, generator), images per second."""

    def logged(self, images_seen: int, losses: Losses, speed: float) -> None:
        """As `update`, at the points that metrics.jsonl records."""

    def finish(self, images_seen: int) -> None:
        """The last update: where the run ended."""

    def say(self, message: str) -> None:
        """A remark."""

    def warn(self, message: str) -> None:
        """Something goes wrong: also told to those who want no remarks."""


class Silence:
    """Says nothing."""

    def due(self) -> bool:
        """Never."""
        return False

    def update(self, images_seen: int, losses: Losses, speed: float) -> None:
        """Nothing."""

    logged = update

    def finish(self, images_seen: int) -> None:
        """Nothing."""

    def say(self, message: str) -> None:
        """Nothing."""

    def warn(self, message: str) -> None:
        """One line all the same."""
        note(f"warning: {message}")


class Lines(Silence):
    """A line for each logged point: for files and pipes."""

    def __init__(self, total: int, epoch: int) -> None:
        self.total, self.epoch = total, epoch

    def logged(self, images_seen: int, losses: Losses, speed: float) -> None:
        """One line."""
        left = max(0, self.total - images_seen) / speed if speed else 0.0
        note(
            f"{images_seen:,}/{self.total:,} images (epoch {images_seen / self.epoch:.1f})  {_show(losses)}  "
            f"{speed:,.0f} images/s  {_clock(left)} left"
        )

    def say(self, message: str) -> None:
        """One line."""
        note(message)


class Bar:
    """A progress bar: for terminals."""

    def __init__(self, progress: Progress, total: int, done: int) -> None:
        self._progress = progress
        self._task = progress.add_task("", total=total, completed=done, speed=0.0)
        self._next = 0.0

    def due(self) -> bool:
        """Twice a second."""
        return time.monotonic() >= self._next

    def update(self, images_seen: int, losses: Losses, speed: float) -> None:
        """Move the bar."""
        self._next = time.monotonic() + REFRESH_SECONDS
        self._progress.update(self._task, completed=images_seen, description=_show(losses), speed=speed)

    logged = update

    def finish(self, images_seen: int) -> None:
        """Move the bar to where it stays."""
        self._progress.update(self._task, completed=images_seen)

    def say(self, message: str) -> None:
        """A line above the bar."""
        self._progress.console.print(plain(message), highlight=False, markup=False, soft_wrap=True)

    def warn(self, message: str) -> None:
        """A line above the bar."""
        self.say(f"warning: {message}")


@contextmanager
def open_reporter(total: int, done: int, epoch: int, quiet: bool) -> Iterator[Reporter]:
    """The reporter that suits stderr: `total` images are a run, `epoch` are an epoch, `done` have been seen."""
    if quiet:
        yield Silence()
    elif not sys.stderr.isatty():
        yield Lines(total, epoch)
    else:
        columns = (
            TextColumn("{task.description}"),
            BarColumn(bar_width=None),
            TaskProgressColumn(),
            TextColumn("{task.completed:,}/{task.total:,} images  {task.fields[speed]:,.0f}/s"),
            TimeRemainingColumn(elapsed_when_finished=True),
        )
        with Progress(*columns, console=Console(stderr=True)) as progress:
            yield Bar(progress, total, done)


def _show(losses: Losses) -> str:
    return "  ".join(f"{name.removesuffix('_loss')} {loss:.3f}" for name, loss in losses.items())


def _clock(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes}:{seconds:02d}"
