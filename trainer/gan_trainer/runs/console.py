"""Show a run on stderr: a progress bar on a terminal, plain lines elsewhere."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from gan_runtime.terminal.text import note, plain
from gan_trainer.training.augmentation import MEASURES
from gan_trainer.training.observer import Observer
from gan_trainer.training.state import TrainState

REFRESH_SECONDS = 0.5


class Quiet(Observer):
    """Shows warnings only."""

    def __init__(self, name: str) -> None:
        self.name = name

    def warned(self, message: str) -> None:
        """Print one line."""
        note(f"warning: {self.name}: {message}")


class Lines(Quiet):
    """Prints one line per entry of the log, for files and pipes."""

    def __init__(self, name: str, total: int, epoch: int) -> None:
        super().__init__(name)
        self.total, self.epoch = total, epoch

    def logged(self, state: TrainState, entry: dict[str, Any]) -> None:
        """Print mean losses and measures; evaluations and warnings are printed by `said` and `warned`."""
        if "lr" not in entry:
            return
        left = max(0, self.total - state.images_seen) / state.speed if state.speed else 0.0
        seen = f"{state.images_seen:,}/{self.total:,} images (epoch {state.images_seen / self.epoch:.1f})"
        note(f"{seen}  {_means(entry)}  {state.speed:,.0f} images/s  {_clock(left)} left")

    def said(self, message: str) -> None:
        """Print one line."""
        note(message)


class Bar(Lines):
    """Shows a progress bar, for terminals."""

    def __init__(self, name: str, total: int, done: int, progress: Progress) -> None:
        super().__init__(name, total, epoch=1)
        self._progress = progress
        self._task = progress.add_task("", total=total, completed=done, speed=0.0)
        self._next = 0.0

    def stepped(self, state: TrainState) -> None:
        """Move the bar, twice per second."""
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + REFRESH_SECONDS
            self._show(state, state.meter.mean())

    def logged(self, state: TrainState, entry: dict[str, Any]) -> None:
        """Move the bar."""
        if "lr" in entry:
            self._show(state, entry)

    def ended(self, state: TrainState) -> None:
        """Move the bar to its final position."""
        self._progress.update(self._task, completed=state.images_seen)

    def said(self, message: str) -> None:
        """Print one line above the bar."""
        self._progress.console.print(plain(message), highlight=False, markup=False, soft_wrap=True)

    def warned(self, message: str) -> None:
        """Print one line above the bar."""
        self.said(f"warning: {self.name}: {message}")

    def _show(self, state: TrainState, losses: dict[str, Any]) -> None:
        self._progress.update(self._task, completed=state.images_seen, description=_means(losses), speed=state.speed)


@contextmanager
def open_console(name: str, total: int, done: int, epoch: int, quiet: bool) -> Iterator[Observer]:
    """Choose the observer for stderr.

    Args:
        name: of the run.
        total, done, epoch: numbers of images: in the run, seen so far, and per epoch.
        quiet: show warnings only.
    """
    if quiet:
        yield Quiet(name)
    elif not sys.stderr.isatty():
        yield Lines(name, total, epoch)
    else:
        columns = (
            TextColumn("{task.description}"),
            BarColumn(bar_width=None),
            TaskProgressColumn(),
            TextColumn("{task.completed:,}/{task.total:,} images  {task.fields[speed]:,.0f}/s"),
            TimeRemainingColumn(elapsed_when_finished=True),
        )
        with Progress(*columns, console=Console(stderr=True)) as progress:
            yield Bar(name, total, done, progress)


def _means(values: dict[str, Any]) -> str:
    shown = {name.removesuffix("_loss"): mean for name, mean in values.items() if name.endswith("_loss")}
    shown |= {name: values[name] for name in MEASURES if name in values}
    return "  ".join(f"{name} {mean:.3f}" for name, mean in shown.items())


def _clock(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes}:{seconds:02d}"
