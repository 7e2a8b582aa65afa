"""Threads for the pieces of a batch."""

import os
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor

    from numpy.typing import NDArray

T = TypeVar("T")


@dataclass(frozen=True)
class Workers:
    """So many threads, that of the caller included: to wait for threads alone takes longer than a small piece.

    The others are started when they are first needed, and anew in a process that was forked. They end with `close`, or
    when nothing refers to this object any more. Several callers share them, and each works itself.
    """

    threads: int
    _pools: dict[int, "ThreadPoolExecutor"] = field(default_factory=dict, repr=False, compare=False)

    def map(self, function: Callable[..., T], *arguments: Iterable[Any]) -> list[T]:
        """What `function` returns for each of the arguments, in their order."""
        calls = list(zip(*arguments, strict=False))  # the shortest counts, as for the builtin
        found: dict[int, T] = {}
        numbers = iter(range(len(calls)))  # shared by the threads: each takes the next one

        def work() -> None:
            try:
                for number in numbers:
                    found[number] = function(*calls[number])
            except BaseException:
                deque(numbers, 0)  # nothing is left for the others
                raise

        helpers = [self._pool().submit(work) for _ in range(min(self.threads, len(calls)) - 1)]
        try:
            work()
        finally:
            begun = [helper for helper in helpers if not helper.cancel()]  # busy for another caller, the rest is done
        for helper in begun:
            helper.result()
        return [found[number] for number in range(len(calls))]

    def _pool(self) -> "ThreadPoolExecutor":
        from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415  (one small batch does without)

        pool = self._pools.get(os.getpid())
        if pool is None:
            # Without a lock, which a fork might copy while it is held: one pool wins, the others have no threads yet.
            pool = self._pools.setdefault(os.getpid(), ThreadPoolExecutor(self.threads - 1))
        return pool

    def fill(self, into: "NDArray[Any]", piece: int, run: "Callable[[int, int], NDArray[Any]]") -> None:
        """Fill `into` with what `run(first, count)` returns for its rows, `piece` of them at a time."""

        def fill_piece(first: int) -> None:
            count = min(piece, len(into) - first)
            into[first : first + count] = run(first, count)

        if len(into) <= piece:
            fill_piece(0)
        else:
            self.map(fill_piece, range(0, len(into), piece))

    def close(self) -> None:
        """Let the threads end once those that use them are done. Later calls of `map` start others."""
        self._pools.pop(os.getpid(), None)
