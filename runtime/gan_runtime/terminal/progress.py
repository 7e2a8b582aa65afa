"""How long work shows where it is: a bar on a terminal, a line now and then elsewhere, on stderr."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeAlias

from gan_runtime.terminal.text import note, plain

DELAY_SECONDS = 1.0  # work that is done by then shows nothing
LINE_SECONDS = 10.0

Advance: TypeAlias = Callable[[int], None]
"""Called with the number of units that have been done since the last call; safe to call from one thread at a time."""


def silent(count: int) -> None:
    """An `Advance` that shows nothing."""


@contextmanager
def progress(what: str, total: int, unit: str, done: int = 0, quiet: bool = False) -> Iterator[Advance]:
    """Show how far `what` has come while the block runs.

    Args:
        what: the work, as a person calls it: "decoding photos.zip".
        total: units of the whole work.
        unit: "images", or "bytes", which are shown in MB.
        done: units that earlier calls have done already.
        quiet: show nothing at all.
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
    """A line every ten seconds: for files and pipes."""

    def __init__(self, what: str, total: int, unit: str, done: int) -> None:
        self._what, self._total, self._unit = what, total, unit
        self._first = self._done = done
        self._began = time.monotonic()
        self._next = self._began + LINE_SECONDS

    def advance(self, count: int) -> None:
        """Say where the work stands, when it is time to."""
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
        """Nothing to tidy up."""


class _Bar:
    """A progress bar: for terminals. Its library is imported when the work turns out to be long."""

    def __init__(self, what: str, total: int, unit: str, done: int) -> None:
        self._what, self._total, self._unit, self._done = what, total, unit, done
        self._begins = time.monotonic() + DELAY_SECONDS
        self._bar: Any = None

    def advance(self, count: int) -> None:
        """Move the bar, once there is one."""
        self._done += count
        if self._bar is None:
            if time.monotonic() < self._begins:
                return
            self._bar = self._open()
            self._task = self._bar.add_task(plain(self._what), total=self._total)
        self._bar.update(self._task, completed=self._done)

    def close(self) -> None:
        """Leave the bar where it ended."""
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
