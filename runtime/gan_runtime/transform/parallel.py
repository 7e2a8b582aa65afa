"""Several pictures at once: one is decoded while the model runs on another and a third one is encoded."""

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from concurrent.futures import Future

T = TypeVar("T")
R = TypeVar("R")


def in_order(
    work: Callable[[T], R], items: Iterable[T], threads: int, stop: Callable[[], None] = lambda: None
) -> Iterator[R]:
    """The results of `work` in the order of `items`, computed by so many threads.

    Items are taken from the iterable as they are needed: at most twice as many as there are threads are begun or wait
    to be consumed. If the consumer stops, or one item fails, those that have not begun are dropped. If the program is
    interrupted, `stop` is called, which may ask those that run to end early.
    """
    from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415  (a single picture does without)

    pool = ThreadPoolExecutor(threads)
    pending: deque[Future[R]] = deque()
    try:
        for item in items:
            pending.append(pool.submit(work, item))
            if len(pending) == 2 * threads:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    except (KeyboardInterrupt, SystemExit):
        stop()
        raise
    finally:
        pool.shutdown(cancel_futures=True)


class Budget:
    """A limit of what is in memory at a time: who does not fit waits. Who is larger than all of it goes alone."""

    def __init__(self, most: int) -> None:
        self._most, self._used = most, 0
        self._changed = threading.Condition()

    @contextmanager
    def taken(self, amount: int) -> Iterator[None]:
        """Wait until `amount` fits, and keep it during the block."""
        with self._changed:
            self._changed.wait_for(lambda: not self._used or self._used + amount <= self._most)
            self._used += amount
        try:
            yield
        finally:
            with self._changed:
                self._used -= amount
                self._changed.notify_all()
