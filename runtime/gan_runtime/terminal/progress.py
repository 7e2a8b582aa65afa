"""Progress on stderr: a bar on a terminal, a line every ten seconds elsewhere."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeAlias

from gan_runtime.terminal.text import note, plain

DELAY_SECONDS = 1.0  # shorter work shows no bar
LINE_SECONDS = 10.0

Advance: TypeAlias = Callable[[int], None]
"""Called with the number of units completed since the last call. Not thread-safe."""


def silent(count: int) -> None:
    """An `Advance` that shows nothing."""


@contextmanager
def progress(what: str, total: int, unit: str, done: int = 0, quiet: bool = False) -> Iterator[Advance]:
    """Show the progress of `what` while the block runs.

    Args:
        what: description of the work: "decoding photos.zip".
        total: number of units of the whole work.
        unit: "images", or "bytes", which are shown in MB.
        done: number of units completed by earlier calls.
        quiet: show nothing.
    """
    if quiet or sys.stderr is None:
        yield silent
        return
    view = _Bar(what, total, unit, done) if sys.stderr.isatty() else _Lines(what, total, unit, done)
    try:
        yield view.advance
    finally:
        view.close()


class _Lines:
    """A line every ten seconds, for files and pipes."""

    def __init__(self, what: str, total: int, unit: str, done: int) -> None:
        self._what, self._total, self._unit = what, total, unit
        self._first = self._done = done
        self._began = time.monotonic()
        self._next = self._began + LINE_SECONDS

    def advance(self, count: int) -> None:
        """Count units, and print a line if ten seconds have passed."""
        self._done += count
        now = time.monotonic()
        if now < self._next:
            return
        self._next = now + LINE_SECONDS
        speed = (self._done - self._first) / (now - self._began)
        amounts = f"{_amount(self._done, self._unit)} of {_amount(self._total, self._unit)} {_name(self._unit)}"
        left = f", {max(0, self._total - self._done) / speed:,.0f} s left" if speed else ""
        note(f"{self._what}: {amounts}, {_amount(speed, self._unit)} {_name(self._unit)}/s{left}")

    def close(self) -> None:
        """Do nothing."""


class _Bar:
    """A progress bar for terminals. Imports rich only if the work takes longer than the delay."""

    def __init__(self, what: str, total: int, unit: str, done: int) -> None:
        self._what, self._total, self._unit, self._done = what, total, unit, done
        self._begins = time.monotonic() + DELAY_SECONDS
        self._bar: Any = None

    def advance(self, count: int) -> None:
        """Count units, and update the bar if it is visible."""
        self._done += count
        if self._bar is None:
            if time.monotonic() < self._begins:
                return
            self._bar = self._open()
            self._task = self._bar.add_task(plain(self._what), total=self._total)
        self._bar.update(self._task, completed=self._done)

    def close(self) -> None:
        """Stop the bar and leave its last state on the terminal."""
        if self._bar is not None:
            self._bar.stop()

    def _open(self) -> Any:
        from rich import progress as rich  # noqa: PLC0415
        from rich.console import Console  # noqa: PLC0415

        if self._unit == "bytes":
            amounts = [rich.DownloadColumn(), rich.TransferSpeedColumn()]
        else:
            amounts = [rich.MofNCompleteColumn(), rich.TextColumn(self._unit)]
        columns = (rich.TextColumn("{task.description}", markup=False), rich.BarColumn(), *amounts)
        columns = (*columns, rich.TimeRemainingColumn())
        bar = rich.Progress(*columns, console=Console(stderr=True), redirect_stdout=False, redirect_stderr=False)
        bar.start()
        return bar


def _amount(value: float, unit: str) -> str:
    return f"{value / 1e6:,.1f}" if unit == "bytes" else f"{value:,.0f}"


def _name(unit: str) -> str:
    return "MB" if unit == "bytes" else unit
