"""Ctrl-C and SIGTERM end a run after its current step."""

import signal
import threading
from collections.abc import Sequence
from types import FrameType, TracebackType
from typing import Any

STOPPING = (signal.SIGINT, signal.SIGTERM)


class StopRequest:
    """Within its block, the first of `signals` is stored in `number`; a second one is handled as usual.

    Python handles signals only in the main thread. In another thread, no handler is installed.

    Args:
        signals: signals to handle; SIGINT and SIGTERM by default.
    """

    def __init__(self, signals: Sequence[int] = STOPPING) -> None:
        self._signals = signals
        self.number: int | None = None
        self._previous: dict[int, Any] = {}

    def __enter__(self) -> "StopRequest":
        if threading.current_thread() is threading.main_thread():
            self._previous = {number: signal.signal(number, self._remember) for number in self._signals}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._restore()

    def _remember(self, number: int, frame: FrameType | None) -> None:
        self.number = number
        self._restore()

    def _restore(self) -> None:
        while self._previous:
            number, handler = self._previous.popitem()
            signal.signal(number, signal.SIG_DFL if handler is None else handler)  # None: it was not set from Python
