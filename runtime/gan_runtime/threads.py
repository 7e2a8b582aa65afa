"""Threads for the pieces of a batch."""

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor

    from numpy.typing import NDArray

T = TypeVar("T")


@dataclass(frozen=True)
class Workers:
    """So many threads, started when they are first needed, and anew in a process that was forked.

    They end with `close`, or when nothing refers to this object any more.
    """

    threads: int
    _pools: dict[int, "ThreadPoolExecutor"] = field(default_factory=dict, repr=False, compare=False)

    def map(self, function: Callable[..., T], *arguments: Iterable[Any]) -> list[T]:
        """What `function` returns for each of the arguments, in their order."""
        from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415  (one small batch does without)

        pool = self._pools.get(os.getpid())
        if pool is None:
            # Without a lock, which a fork might copy while it is held: one pool wins, the others have no threads yet.
            pool = self._pools.setdefault(os.getpid(), ThreadPoolExecutor(self.threads))
        return list(pool.map(function, *arguments))

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
