"""Run an iterator ahead of its consumer: the next batch is computed while the last one is written."""

import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import suppress
from queue import Empty, Full, Queue
from typing import Any, TypeVar

T = TypeVar("T")

_PATIENCE = 0.1  # seconds between checks whether the consumer has stopped


def prefetch(source: Iterator[T], ahead: int = 2, stop: Callable[[], None] = lambda: None) -> Generator[T, None, None]:
    """The items of `source` in order, computed in a separate thread; at most `ahead` of them wait in a queue.

    An exception in `source` is raised in place of its item. The thread ends if the consumer stops early: once it has
    computed the item that it is at. If the program is interrupted, `stop` is called, which may ask it to end earlier.
    """
    waiting: Queue[tuple[str, Any]] = Queue(ahead)
    stopped = threading.Event()

    def offer(kind: str, value: Any = None) -> bool:
        while not stopped.is_set():
            with suppress(Full):
                waiting.put((kind, value), timeout=_PATIENCE)
                return True
        return False

    def produce() -> None:
        try:
            for item in source:
                if not offer("item", item):
                    return
        except BaseException as error:
            offer("error", error)
        else:
            offer("end")

    thread = threading.Thread(target=produce, name="prefetch", daemon=True)
    try:
        thread.start()  # a signal may end the program while this waits for the thread
        while True:
            kind, value = waiting.get()
            if kind == "end":
                return
            if kind == "error":
                raise value
            yield value
    except (KeyboardInterrupt, SystemExit):
        stop()
        raise
    finally:
        stopped.set()
        with suppress(Empty):
            while True:
                waiting.get_nowait()
        with suppress(RuntimeError):  # it was not started
            thread.join()
